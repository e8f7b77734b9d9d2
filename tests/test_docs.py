"""The documents are true: settings, targets, commands, tests, files, links and codes that they name exist,
and none is left out."""

import ast
import importlib
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
DOCS = ROOT / "docs"
FOLDERS = ("config", "docs", "gateway", "menus", "mutuelle", "proving", "sandbox", "tests", "workers")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
DOCUMENTS = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md")))
}
README = DOCUMENTS["README.md"]
ARCHITECTURE = DOCUMENTS["ARCHITECTURE.md"]
COMMANDS = DOCUMENTS["docs/commands.md"]
GUIDES = {name: text for name, text in DOCUMENTS.items() if name.startswith("docs/guides/")}
# The changelog also names whole groups of commands, and files of the past.
PRESENT = {name: text for name, text in DOCUMENTS.items() if name != "CHANGELOG.md"}
README_LINES = 250
LINE_LETTERS = 400  # no paragraph hides in one line
ARCHITECTURE_LINES = 120
DECISION_LINES = 20
LARGEST_IMAGE = 200_000

each_document = pytest.mark.parametrize("name", DOCUMENTS)


def table(document: str, head: str) -> dict[str, list[str]]:
    """Returns the table of a document that begins with `head`: its further cells by the first one."""
    text = DOCUMENTS[document]
    rows = []
    for line in text[text.index(head) :].splitlines()[2:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return {cells[0]: cells[1:] for cells in rows}


def default_of(name: str) -> str:
    """Returns how the documents write the default of a setting."""
    field = Settings.model_fields[name]
    if field.is_required():
        return "required"
    return f"`{field.default}`" if field.default != "" else "empty"


def commands(group: click.Group, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yields every command that can be typed, as its words."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            if command.invoke_without_command:
                yield (*before, name)
            yield from commands(command, (*before, name))
        elif command is not None:
            yield (*before, name)


def command_lines(text: str) -> list[list[str]]:
    """Returns the words after `mutuelle` of every command line in a text: between backquotes or after a
    prompt."""
    lines = re.findall(r"`mutuelle ([^`]+)`", text) + re.findall(r"^\$? ?mutuelle (.+)$", text, re.M)
    return [shlex.split(line) for line in lines]


def typed_command(words: list[str], existing: set[tuple[str, ...]]) -> tuple[str, ...] | None:
    """Returns the longest command that a command line begins with, or None."""
    return max((path for path in existing if tuple(words[: len(path)]) == path), key=len, default=None)


def paths(text: str) -> list[str]:
    """Returns every file, folder or pattern of this repository that a text names between backquotes."""
    return re.findall(rf"`((?:{'|'.join(FOLDERS)})/[^`\s]*)`", text)


def anchors(text: str) -> set[str]:
    """Returns the anchors of the headings of a document."""
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_every_setting_stands_in_the_documents_with_its_default():
    rows = table("docs/settings.md", "| name | default | meaning |")
    assert {name.strip("`"): cells[0] for name, cells in rows.items()} == {
        name.upper(): default_of(name) for name in Settings.model_fields
    }
    settings = DOCUMENTS["docs/settings.md"]
    assert [name.upper() for name in Settings.model_fields if f"`{name.upper()}`" not in settings] == []


def test_every_target_stands_in_the_readme_and_no_other():
    targets = set(re.findall(r"^([a-z]+):.*## ", MAKEFILE, re.M))
    rows = table("README.md", "| target | does |")
    assert {name.strip("`") for name in rows} == {f"make {target}" for target in targets}
    for document, text in DOCUMENTS.items():
        assert set(re.findall(r"`make ([a-z]+)[ `]", text)) <= targets, document


@pytest.mark.parametrize("document", PRESENT)
def test_every_command_shown_exists_with_its_options(document: str):
    existing = set(commands(main.main))
    for words in command_lines(PRESENT[document]):
        path = typed_command(words, existing)
        assert path is not None, " ".join(words)
        command: click.Command | None = main.main
        for name in path:
            assert isinstance(command, click.Group)
            command = command.get_command(click.Context(command), name)
        assert command is not None
        options = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, " ".join(words)


def test_every_command_stands_in_the_documents():
    existing = set(commands(main.main))
    shown = {typed_command(words, existing) for words in command_lines(COMMANDS)}
    assert existing - shown == set()


@pytest.mark.parametrize("guide", GUIDES)
def test_what_a_guide_says_to_press_or_to_read_is_there(guide: str):
    places = (
        *(ROOT / "gateway" / "console").rglob("*.html"),
        *(ROOT / "gateway" / "console").glob("words*.py"),
        *(ROOT / "config" / "locales" / "fr").rglob("*.po"),
    )
    words = "\n".join(path.read_text(encoding="utf-8") for path in places)
    assert [label for label in re.findall(r"« (.+?) »", GUIDES[guide]) if label not in words] == []


def test_a_guide_names_every_page_of_the_menu_and_every_act_on_a_household_in_both_languages():
    pages = ROOT / "gateway" / "console" / "templates"
    menu = re.findall(r"tab\('[^']+', \"([^\"]+)\"", (pages / "base.html").read_text(encoding="utf-8"))
    acts = re.findall(r"<summary>([^{<]+)", (pages / "household.html").read_text(encoding="utf-8"))
    assert (len(menu) > 7, len(acts) > 7) == (True, True)
    halves = [text.partition("\n# The ")[:3:2] for text in GUIDES.values()]
    for half in (0, 1):
        guides = "\n".join(text[half] for text in halves)
        assert [label for label in (*menu, *acts) if f"« {label} »" not in guides] == []


def test_every_test_that_is_named_exists():
    existing = set()
    for file in (ROOT / "tests").rglob("test_*.py"):
        existing |= set(re.findall(r"^def (test_\w+)\(", file.read_text(encoding="utf-8"), re.M))
    for document, text in DOCUMENTS.items():
        assert set(re.findall(r"`(test_\w+)`", text)) <= existing, document


def test_every_fault_names_a_test_that_holds_it():
    rows = table("docs/faults.md", "| what happens | what the gateway does | held by |")
    assert len(rows) > 30
    assert [fault for fault, cells in rows.items() if not re.search(r"`test_\w+`", cells[1])] == []


def test_every_demo_code_stands_in_the_readme_with_its_mutuelle():
    rows = table("README.md", "| dial | mutuelle | country | wallet | how the payer agrees |")
    assert {code.strip("`"): cells[0] for code, cells in rows.items()} == {
        place.dial: place.code for place in PLACES
    }


def test_the_assumptions_of_the_demo_are_named():
    schemes = DOCUMENTS["docs/schemes.md"]
    assumptions = schemes[schemes.index("**Assumed for the demonstration only:**") :].splitlines()[0]
    for word in ("Wave", "Mali", "mtnrwanda", "Africa's Talking", "Senegal"):
        assert word in assumptions
    for route in USSD:
        assert f"/ussd/{route}/" in DOCUMENTS["docs/http.md"]


def test_the_program_that_makes_a_mutuelle_uses_what_exists():
    program = ast.parse(
        "\n".join(re.findall(r"^```python\n(.*?)^```", DOCUMENTS["docs/deploy.md"], re.M | re.S))
    )
    modules = {}
    for node in ast.walk(program):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                parent = importlib.import_module(node.module)
                if not hasattr(parent, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")
                modules[alias.name] = getattr(parent, alias.name)
    assert len(modules) > 2
    for node in ast.walk(program):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            assert hasattr(modules[node.value.id], node.attr), f"{node.value.id}.{node.attr}"


@each_document
def test_links_to_local_files_resolve(name: str):
    text = re.sub(r"^```.*?^```", "", DOCUMENTS[name], flags=re.M | re.S)
    for link in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text):
        path, _, anchor = link.partition("#")
        if path.startswith(("https://", "http://")):
            continue
        file = ((ROOT / name).parent / path).resolve() if path else ROOT / name
        assert file.exists(), link
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), link


@pytest.mark.parametrize("document", PRESENT)
def test_every_path_a_document_names_exists(document: str):
    assert [path for path in paths(PRESENT[document]) if not any(ROOT.glob(path.rstrip("/")))] == []


def test_every_document_is_reached_from_the_index():
    documents = [path.relative_to(DOCS) for path in DOCS.rglob("*") if path.suffix in (".md", ".yml")]
    # Decisions are listed in an index of their own.
    names = [str(path) for path in documents if not re.match(r"decisions/\d|README", str(path))]
    assert len(names) > 10
    assert [name for name in names if f"]({name})" not in DOCUMENTS["docs/README.md"]] == []


def test_the_readme_and_the_map_are_short():
    assert len(README.splitlines()) <= README_LINES
    assert max(map(len, README.splitlines())) <= LINE_LETTERS
    assert len(ARCHITECTURE.splitlines()) <= ARCHITECTURE_LINES


def test_the_map_names_every_room_and_every_file_of_the_domain():
    on_map = {path.rstrip("/") for path in paths(ARCHITECTURE)}
    assert set(FOLDERS) - on_map == {"docs"}
    domain = ROOT / "mutuelle"
    rooms = {str(path.parent.relative_to(ROOT)) for path in domain.glob("*/__init__.py")}
    assert rooms - on_map == set()
    for path in domain.rglob("*"):
        if path.suffix not in (".py", ".sql") or path == domain / "__init__.py":
            continue
        name = str(path.relative_to(ROOT))
        folders = {str(parent.relative_to(ROOT)) for parent in path.parents if domain in parent.parents}
        assert name in on_map or folders & on_map, name


@each_document
def test_no_path_of_a_machine_and_no_registry_is_named(name: str):
    text = DOCUMENTS[name]
    assert re.findall(r"(?<![\w.])/(?:home|root|work|Users|tmp|opt)/\S*", text) == []
    assert re.findall(r"\b(?:pypi\.org|pythonhosted|simple/|index-url|artifactory|registry\.)\S*", text) == []


def test_every_decision_is_listed_and_short():
    decisions = sorted(path.name for path in (DOCS / "decisions").glob("[0-9]*.md"))
    assert re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", DOCUMENTS["docs/decisions/README.md"]) == decisions
    for name in decisions:
        assert len(DOCUMENTS[f"docs/decisions/{name}"].splitlines()) <= DECISION_LINES, name


def test_images_are_used_and_small():
    images = sorted((DOCS / "images").glob("*.png"))
    assert images
    for image in images:
        assert f"docs/images/{image.name}" in README
        assert image.stat().st_size < LARGEST_IMAGE, image.name
