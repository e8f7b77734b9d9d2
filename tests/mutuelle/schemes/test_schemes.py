"""The shipped rule books load and name their sources; a bad one is refused in plain words."""

import shutil
import tomllib
from datetime import date

import pytest

from mutuelle.errors import Refused
from mutuelle.schemes import schemes
from mutuelle.schemes.schemes import FOLDER, Stage, last_day, months_after

TODAY = date(2026, 11, 22)


@pytest.fixture
def folder(tmp_path):
    """A copy of the shipped rule books that a test may break."""
    return shutil.copytree(FOLDER, tmp_path / "schemes")


def spoil(folder, old, new, name="sn-cmu.toml"):
    text = (folder / name).read_text(encoding="utf-8")
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(schemes.SchemeError) as error:
        schemes.load(folder)
    return error.value.problems


IN_USE = ("SN-CMU", "RW-CBHI", "ML-5050")


def test_the_rule_books_of_nine_countries_load():
    ready = {"SN-CMU", "RW-CBHI", "ML-5050", "ML-RAMED", "TG-AMU-TNS", "CI-CMU", "BF-RAMU", "MR-CNASS"}
    assert {code for code, scheme in schemes.load().items() if scheme.status == "ready"} == ready
    assert {code for code, scheme in schemes.load().items() if scheme.status == "draft"} == {
        "BJ-ARCH",
        "CM-CSU",
    }


def test_the_three_rule_books_in_use_load():
    senegal, rwanda, mali = (schemes.get(code) for code in IN_USE)
    assert [(s.country, s.currency, s.zone, s.operators) for s in (senegal, rwanda, mali)] == [
        ("SN", "XOF", "Africa/Dakar", ("wave",)),
        ("RW", "RWF", "Africa/Kigali", ("mtn",)),
        ("ML", "XOF", "Africa/Bamako", ("wave",)),
    ]
    assert [s.on(TODAY).step for s in (senegal, rwanda, mali)] == [100, 1000, 25]


def test_a_scheme_is_read_once_and_never_changed():
    assert schemes.get("SN-CMU") is schemes.get("SN-CMU")
    with pytest.raises(Exception, match="frozen"):
        schemes.get("SN-CMU").currency = "XAF"


def test_an_unknown_scheme_category_or_option_is_refused():
    version = schemes.get("SN-CMU").on(TODAY)
    for key, ask in [
        ("scheme.unknown", lambda: schemes.get("XX-NONE")),
        ("category.unknown", lambda: version.category("rich")),
        ("option.unknown", lambda: version.option("week")),
    ]:
        with pytest.raises(Refused) as refused:
            ask()
        assert refused.value.key == key


def test_a_claim_that_lowers_the_price_is_billed_as_the_class_the_file_names():
    billed = {c.code: c.billed_as for s in map(schemes.get, IN_USE) for c in s.on(TODAY).categories}
    assert billed == {
        "general": "general",
        "indigent": "general",
        "scholarship": "general",
        "level-1": "level-3",
        "level-2": "level-3",
        "level-3": "level-3",
        "level-4": "level-4",
        "level-5": "level-5",
    }


def test_every_category_is_asked_in_two_languages_and_every_benefit_is_named():
    for scheme in schemes.load().values():
        version = scheme.on(TODAY)
        assert version.asks_category
        assert all({"fr", "en"} <= set(c.label) for c in version.categories)
        assert {"reproductive", "preventive"} <= {b.code for b in version.benefits}


def test_a_version_is_in_force_from_its_first_day():
    rwanda = schemes.get("RW-CBHI")
    assert rwanda.on(date(2026, 7, 1)).since == rwanda.version(date(2026, 7, 1)).since == date(2026, 7, 1)
    # In June bills are already for the year to come (30 days ahead: from 1 June); in May the old rules hold.
    assert rwanda.on(date(2026, 6, 1)).since == date(2026, 7, 1)
    assert rwanda.on(date(2026, 5, 31)).since == date(2020, 7, 1)
    with pytest.raises(Refused) as refused:
        rwanda.on(date(2020, 5, 31))
    assert refused.value.key == "scheme.not-in-force"


def test_the_later_version_wins_from_its_day_on(folder):
    book = folder / "sn-cmu.toml"
    text = book.read_text(encoding="utf-8")
    version = text[text.index("[[versions]]") :]
    dearer = version.replace("2020-01-01", "2027-01-01").replace("7000", "8000")
    book.write_text(text + "\n" + dearer, encoding="utf-8")
    scheme = schemes.load(folder)["SN-CMU"]
    assert [scheme.on(d).category().price["year"] for d in (date(2026, 12, 31), date(2027, 1, 1))] == [
        7000,
        8000,
    ]


def test_every_figure_has_a_source_and_what_is_ours_is_labelled():
    lines = schemes.check()
    assert all(line.startswith("assumed ") for line in lines)
    for assumption in [
        "SN-CMU versions[2020-01-01].waiting",
        "SN-CMU versions[2020-01-01].joining",
        "RW-CBHI versions[2026-07-01].categories[level-2]",
        "RW-CBHI versions[2026-07-01].opening",
        "ML-5050 versions[2020-01-01].categories[general]",
        "ML-5050 notes[operators]",
    ]:
        assert any(assumption in line for line in lines), assumption
    assert any(line.startswith("waiting:") for line in schemes.get("SN-CMU").on(TODAY).assumptions())
    for file in FOLDER.glob("*.toml"):
        tomllib.loads(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (
            "step = 100",
            "step = 0.5",
            "sn-cmu.toml: versions, 1, payment, step: must be a whole number (found 0.5)",
        ),
        ("step = 100", "", "versions, 1, payment, step: is missing"),
        ("step = 100", "step = 0", "must be at least 1"),
        ("days = 30", "dais = 30", "versions, 1, waiting, dais: is not a key of a rule book"),
        ('source = "not found"', "", "payment, source: is missing"),
        ('part = "0.5"', "part = 0.5", 'must be a part in quotes, above 0 and at most 1, such as "0.75"'),
        ('part = "0.5"', 'part = "1.5"', "must be a part in quotes"),
        (
            'part = "0.5"',
            "amount = { year = 8000 }",
            "category general: the other payers pay more than the price",
        ),
        ('part = "0.5"', 'part = "0.5"\namount = { year = 1 }', "needs either `part` or `amount`"),
        ('payer = "state"', 'payer = "member"', "do not list the member"),
        ("price = { year = 7000 }", "price = { month = 600 }", "for exactly the options year"),
        (
            'billed_as = "general"',
            "",
            "category indigent: lowers the member's price, so billed_as must name a dearer one",
        ),
        (
            'billed_as = "general"',
            'billed_as = "nobody"',
            "billed_as must name a category that is billed as itself",
        ),
        (
            'standard = "general"',
            'standard = "indigent"',
            "standard: indigent must be a category that is billed as itself",
        ),
        ('code = "scholarship"', 'code = "indigent"', "two have the same code"),
        ("Bourse familiale", "Bourse reçue", "has a letter that a plain SMS cannot carry"),
        ("Bourse familiale", "Une bourse bien trop longue", "must have 1 to 22 characters, it has 27"),
        ('en = "Family scholarship"', 'wo = "Bourse"', "label: is missing in `en`"),
        ('currency = "XOF"', 'currency = "EUR"', "currency: EUR is not one of"),
        ('zone = "Africa/Dakar"', 'zone = "Africa/Dakkar"', "zone: Africa/Dakkar is not a time zone"),
        ('kind = "rolling"', 'kind = "fixed"', "a fixed cycle needs `starts`"),
        ('kind = "rolling"', 'kind = "fixed"\nstarts = "02-29"', "must be a month and a day"),
        (
            'kind = "rolling"',
            'kind = "fixed"\nstarts = "07-01"',
            "a fixed year begins on 07-01, so must the version",
        ),
        ('code = "SN-CMU"', 'code = "RW-CBHI"', "code: RW-CBHI is already another file's"),
        ('code = "SN-CMU"', "code = ", "sn-cmu.toml: is not a TOML file"),
    ],
)
def test_a_bad_rule_book_is_refused_in_plain_words(folder, old, new, text):
    problems = spoil(folder, old, new)
    assert any(text in problem for problem in problems), problems
    assert all(problem.startswith("sn-cmu.toml: ") for problem in problems)
    assert all(line.startswith("problem sn-cmu.toml: ") for line in schemes.check(folder))


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (
            'paid = "0.75", months = 6',
            'paid = "0.75", months = 12',
            "must open fewer months than the option year",
        ),
        ("months = 6 }", 'months = 6 }, { paid = "0.5", months = 8 }', "`early` must grow in both"),
        ("months = 6 }]", "months = 6 }]\nmonthly = true", "needs `early` or `monthly`, not both"),
        ("days = 0", "days = 30", "days in a fixed year are not supported yet"),
        ("price = { year = 8000 }", 'price = { year = 8000 }\nbilled_as = "level-3"', "so it holds at once"),
    ],
)
def test_rules_of_a_fixed_year_must_agree(folder, old, new, text):
    assert any(text in problem for problem in spoil(folder, old, new, "rw-cbhi.toml"))


def test_all_problems_of_all_files_are_reported_at_once(folder):
    (folder / "zz.toml").write_text('code = "ZZ-X"\n', encoding="utf-8")
    problems = spoil(folder, "step = 100", "step = 0")
    assert any(p.startswith("sn-cmu.toml: versions, 1, payment, step") for p in problems)
    assert any(p == "zz.toml: versions: is missing" for p in problems)


def test_an_empty_folder_is_a_problem(tmp_path):
    assert schemes.check(tmp_path) == ["problem no rule book found: the folder has no .toml file"]


def test_stages_by_hand():
    rwanda, mali, senegal = (schemes.get(code).on(TODAY) for code in ("RW-CBHI", "ML-5050", "SN-CMU"))
    # 75 % of 25 000 = 18 750, up to the next 1 000; the whole opens the year.
    assert rwanda.stages(25_000) == (Stage(19_000, 6), Stage(25_000, 12))
    # One person of level 2: 75 % of 3 000 = 2 250, up to 3 000: that is the whole share, so it opens the
    # whole year.
    assert rwanda.stages(3_000) == (Stage(3_000, 12),)
    assert rwanda.stages(0) == (Stage(0, 12),)
    # Two people at 275 a month: 550, 1 100, ... 6 600.
    assert mali.stages(6_600) == tuple(Stage(550 * month, month) for month in range(1, 13))
    # 100 / 12 = 8.33, up to 25; 2 and 3 months also round to 25, so 25 opens three.
    assert mali.stages(100) == (Stage(25, 3), Stage(50, 6), Stage(75, 9), Stage(100, 12))
    assert senegal.stages(21_000) == (Stage(21_000, 12),)
    # A share that is no multiple of the step: the threshold never exceeds what there is to pay.
    assert senegal.stages(3_550) == (Stage(3_550, 12),)


def test_fixed_years_and_months_by_hand():
    rwanda = schemes.get("RW-CBHI").on(TODAY)
    assert (
        rwanda.period(date(2026, 7, 1))
        == rwanda.period(date(2027, 6, 30))
        == (date(2026, 7, 1), date(2027, 6, 30))
    )
    assert schemes.get("SN-CMU").on(TODAY).period(TODAY) is None
    assert months_after(date(2026, 12, 31), 2) == date(2027, 2, 28)
    assert months_after(date(2027, 10, 31), 4) == date(2028, 2, 29)
    assert last_day(date(2026, 7, 1), 6) == date(2026, 12, 31)
    assert last_day(date(2026, 12, 22), 12) == date(2027, 12, 21)
