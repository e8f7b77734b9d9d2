"""The documents say what is true: settings, targets, commands, tests, links and codes they name exist, and
none is left out."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from config.settings import Settings
from gateway.cli import main
from gateway.ussd import USSD
from proving.demo.demo import PLACES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
GUIDES = {
    path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs" / "guides").glob("*.md"))
}
LARGEST_IMAGE = 200_000

each_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS]
)


def rows(head: str) -> dict[str, list[str]]:
    """The table that begins with `head`: its further cells by the first one."""
    lines = README[README.index(head) :].splitlines()[2:]
    table = []
    for line in lines:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return {cells[0]: cells[1:] for cells in table}


def default_of(name: str) -> str:
    """How the README writes what a setting is when nobody sets it."""
    field = Settings.model_fields[name]
    if field.is_required():
        return "required"
    return f"`{field.default}`" if field.default != "" else "empty"


def commands(group: click.Group, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command one can type, as its words."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            if command.invoke_without_command:
                yield (*before, name)
            yield from commands(command, (*before, name))
        else:
            yield (*before, name)


def shown(text: str = README) -> list[list[str]]:
    """The words after `mutuelle` of every command line in a text: in prose between backquotes, or after a
    prompt."""
    found = re.findall(r"`mutuelle ([^`]+)`", text) + re.findall(r"^\$? ?mutuelle (.+)$", text, re.M)
    return [shlex.split(line) for line in found]


def test_every_setting_stands_in_the_readme_with_its_default():
    told = {name.strip("`"): cells[0] for name, cells in rows("| name | default | meaning |").items()}
    assert told == {name.upper(): default_of(name) for name in Settings.model_fields}


def test_every_target_stands_in_the_readme_and_no_other():
    targets = set(re.findall(r"^([a-z]+):.*## ", MAKEFILE, re.M))
    assert {name.strip("`") for name in rows("| target | does |")} == {f"make {target}" for target in targets}
    for document in DOCUMENTS:
        named = set(re.findall(r"`make ([a-z]+)[ `]", document.read_text(encoding="utf-8")))
        assert named <= targets, document.name


def test_every_command_shown_exists_with_its_options():
    there = set(commands(main.main))
    for words in (line for text in (README, *GUIDES.values()) for line in shown(text)):
        known = max((path for path in there if tuple(words[: len(path)]) == path), key=len, default=None)
        assert known is not None, " ".join(words)
        command: click.Command = main.main
        for name in known:
            assert isinstance(command, click.Group)
            command = command.commands[name]
        options = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, " ".join(words)


def test_every_command_stands_in_the_readme():
    told = [" ".join(words) for words in shown()]
    missing = [
        " ".join(path)
        for path in commands(main.main)
        if not any(line.startswith(" ".join(path)) for line in told)
    ]
    assert missing == []


@pytest.mark.parametrize("guide", GUIDES)
def test_what_a_guide_says_to_press_or_to_read_is_there(guide: str):
    places = (
        *(ROOT / "gateway" / "console").rglob("*.html"),
        *(ROOT / "gateway" / "console").glob("words*.py"),
        *(ROOT / "config" / "locales" / "fr").rglob("*.po"),
    )
    there = "\n".join(path.read_text(encoding="utf-8") for path in places)
    assert [label for label in re.findall(r"« (.+?) »", GUIDES[guide]) if label not in there] == []


def test_a_guide_names_every_page_of_the_menu_and_every_act_on_a_household_in_both_languages():
    pages = ROOT / "gateway" / "console" / "templates"
    menu = re.findall(r"tab\('[^']+', \"([^\"]+)\"", (pages / "base.html").read_text(encoding="utf-8"))
    acts = re.findall(r"<summary>([^{<]+)", (pages / "household.html").read_text(encoding="utf-8"))
    assert (len(menu) > 7, len(acts) > 7) == (True, True)
    halves = [text.partition("\n# The ")[:3:2] for text in GUIDES.values()]
    for half in (0, 1):
        told = "\n".join(text[half] for text in halves)
        assert [label for label in (*menu, *acts) if f"« {label} »" not in told] == []


def test_every_test_that_is_named_exists():
    there = set()
    for file in (ROOT / "tests").rglob("test_*.py"):
        there |= set(re.findall(r"^def (test_\w+)\(", file.read_text(encoding="utf-8"), re.M))
    for document in DOCUMENTS:
        named = set(re.findall(r"`(test_\w+)`", document.read_text(encoding="utf-8")))
        assert named <= there, document.name


def test_every_demo_code_stands_in_the_readme_with_its_mutuelle():
    told = rows("| dial | mutuelle | country | wallet | how the payer agrees |")
    assert {code.strip("`"): cells[0] for code, cells in told.items()} == {
        place.dial: place.code for place in PLACES
    }


def test_the_assumptions_of_the_demo_are_named():
    named = README[README.index("**Assumed for the demonstration only:**") :].splitlines()[0]
    for word in ("Wave", "Mali", "mtnrwanda", "Africa's Talking", "Senegal"):
        assert word in named
    for route in USSD:
        assert f"/ussd/{route}/" in README


@each_document
def test_links_to_local_files_resolve(document: Path):
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.M | re.S)
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    anchors = {
        re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-")
        for title in re.findall(r"^#+ (.*)$", text, re.M)
    }
    for link in links:
        path, _, anchor = link.partition("#")
        if path.startswith(("https://", "http://")):
            continue
        assert not path or (document.parent / path).exists(), link
        assert path or anchor in anchors, link


@each_document
def test_no_path_of_a_machine_and_no_registry_is_named(document: Path):
    text = document.read_text(encoding="utf-8")
    assert re.findall(r"(?<![\w.])/(?:home|root|work|Users|tmp|opt)/\S*", text) == []
    assert re.findall(r"\b(?:pypi\.org|pythonhosted|simple/|index-url|artifactory|registry\.)\S*", text) == []


def test_every_decision_is_listed_and_short():
    listed = re.findall(
        r"\]\((\d{4}-[\w-]+\.md)\)", (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    )
    assert listed == [path.name for path in DECISIONS if path.name != "README.md"]
    for path in DECISIONS:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 20, path.name


def test_images_are_used_and_small():
    images = sorted((ROOT / "docs" / "images").glob("*.png"))
    assert images
    for image in images:
        assert f"docs/images/{image.name}" in README
        assert image.stat().st_size < LARGEST_IMAGE, image.name
