"""Bad rule books are refused in plain words: prices by age, other schemes, lapses, copays, drafts."""

import shutil
from datetime import date

import pytest
from pydantic import ValidationError

from mutuelle.contributions import bills
from mutuelle.contributions.quotes import quote
from mutuelle.errors import Refused
from mutuelle.organisation import tenants
from mutuelle.schemes import schemes
from mutuelle.schemes.schemes import FOLDER
from tests.mutuelle.schemes.world import SOURCE, category, scheme

TODAY = date(2026, 11, 22)


@pytest.fixture
def spoil(tmp_path):
    """Returns the problems of the shipped rule books after a change in one of them."""

    def spoiled(name, old, new):
        folder = shutil.copytree(FOLDER, tmp_path / "schemes")
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")
        with pytest.raises(schemes.SchemeError) as error:
            schemes.load(folder)
        return error.value.problems

    return spoiled


@pytest.mark.parametrize(
    ("name", "old", "new", "text"),
    [
        ("sn-cmu.toml", 'status = "ready"\n', "", "status: is missing"),
        ("sn-cmu.toml", 'status = "ready"', 'status = "soon"',
         "status: must be 'draft' or 'ready' (found 'soon')"),
        ("sn-cmu.toml", 'basis = "person"', 'basis = "tribe"',
         "versions, 1, pricing, basis: must be 'person'"),
        ("sn-cmu.toml", 'basis = "person"', 'basis = "age"',
         "category general: a price by age takes 1 to 9 `ages`"),
        ("sn-cmu.toml", 'basis = "person"', 'basis = "household"\nfree_below = 5',
         "nobody free, so leave out free_below"),
        ("sn-cmu.toml", 'beyond = "not-covered"\n', "", "versions, 1, household, beyond: is missing"),
        ("sn-cmu.toml", "[versions.payment]\n", '[versions.payment]\nallocation = ["joining", "dues"]\n',
         "versions, 1, payment, allocation: is not a key of a rule book"),
        ("rw-cbhi.toml", 'beyond = "refused"', 'beyond = "not-covered"', "leaves nobody out: beyond must be"),
        ("sn-cmu.toml", 'part = "0.2"', "part = 0.2", "copay, parts, 1, part: must be a part in quotes"),
        ("sn-cmu.toml", 'part = "0.2"', 'part = "0.2", amount = 5', "needs either `part` or `amount`"),
        ("sn-cmu.toml", 'part = "0.2"', 'part = "0.2", part_max = "0.1"', "`part_max` must be above `part`"),
        ("sn-cmu.toml", 'claim_basis = "days-covered"', 'claim_basis = "whole-period"',
         "whole periods are claimed, so `clause` must name the document and its section"),
        ("sn-cmu.toml", 'claim_basis = "days-covered"', 'claim_basis = "whole-period"\nclause = " "',
         "whole periods are claimed, so `clause` must name the document and its section"),
        ("sn-cmu.toml", 'claimable = "when-open"', 'claimable = "when-billed"',
         "whole periods are claimed, so `clause` must name the document and its section"),
        ("sn-cmu.toml", 'claim_basis = "days-covered"', 'clause = "Decree 1, section 2"',
         "only covered days are claimed, so leave out `clause`"),
        ("ci-cmu.toml", 'categories = ["ram"]', 'categories = ["poor"]', "copay: poor is not a category"),
        ("ml-ramed.toml", "student_below = 21", "student_below = 12",
         "`student_below` extends `child_below`"),
        ("ml-ramed.toml", 'evidence = "attestation', 'billed_as = "indigent"\nevidence = "attestation',
         "category by-right: is never billed before it is proven, so leave out billed_as"),
        ("tg-amu-tns.toml", 'code = "vulnerable"', 'code = "general"', "two have the same code"),
        ("tg-amu-tns.toml", "quarter = 28500, ", "",
         "for exactly the options half-year, month, quarter, year"),
        ("tg-amu-tns.toml", 'code = "quarter"', 'code = "month"', "options: two have the same code"),
        ("bj-arch.toml", 'status = "draft"', 'status = "ready"',
         "category poor: has no price yet, so the scheme is a draft"),
        ("bj-arch.toml", "unpriced = true", "unpriced = true\nprice = { year = 1 }",
         "is unpriced, so leave out its price"),
        ("ci-cmu.toml", "like = 2019-07-01", "like = 2018-07-01",
         "versions, 2, like: is not a key of a rule book"),
        ("rw-cbhi.toml", '"*909#"', '"909"', "codes, 1: must look like `^\\*[0-9*]+#$` (found '909')"),
        ("mr-cnass.toml", 'source = "not found"\nassumed = "nobody waits until a text says so"',
         'source = "not found"',
         "no source was found, so `assumed` must say why the rule is as it is"),
    ],
)  # fmt: skip
def test_a_bad_rule_is_refused_in_plain_words(spoil, name, old, new, text):
    problems = spoil(name, old, new)
    assert any(text in problem for problem in problems), problems
    assert all(problem.startswith(f"{name}: ") for problem in problems)


@pytest.mark.parametrize(
    ("ages", "text"),
    [
        ([{"below": 18, "price": {"year": 1}}, {"below": 10, "price": {"year": 1}}], "`ages` must grow"),
        ([{"below": 5, "price": {"year": 1}}], "begin above the age that is free"),
        ([{"below": 18, "price": {"year": 400}}], "the other payers pay more than the price"),
    ],
)
def test_prices_by_age_must_agree(ages, text):
    others = [SOURCE | {"payer": "state", "amount": {"year": 500}}]
    made = category({"year": 7_000}, ages=ages, others=others)
    with pytest.raises(ValidationError, match=text):
        scheme(pricing={"basis": "age", "free_below": 5}, categories=[made])


def test_a_claim_that_is_cheaper_for_children_only_still_needs_proof():
    plain = category({"year": 7_000}, ages=[{"below": 18, "price": {"year": 3_000}}])
    poor = plain | {"code": "poor", "ages": [{"below": 18, "price": {"year": 2_000}}]}
    with pytest.raises(
        ValidationError, match="category poor: lowers the member's price, so billed_as must name a dearer one"
    ):
        scheme(pricing={"basis": "adult-child"}, categories=[plain, poor])
    book = scheme(
        pricing={"basis": "adult-child"},
        categories=[plain, poor | {"billed_as": "general", "evidence": "card"}],
    )
    assert quote(book, [1980, 2015], on=TODAY, category="poor").total == 10_000
    assert quote(book, [1980, 2015], on=TODAY, category="poor", checked=True).total == 9_000


def test_a_category_that_must_be_proven_is_asked_for_even_alone():
    plain = category({"year": 7_000})
    assert not scheme(categories=[plain]).on(TODAY).asks_category
    assert scheme(categories=[plain | {"proof_first": True, "evidence": "card"}]).on(TODAY).asks_category


def test_a_version_has_the_rules_of_the_version_it_extends_except_those_it_overrides():
    book = schemes.get("CI-CMU")
    before, holiday, after = (
        book.version(day) for day in (date(2019, 7, 1), date(2025, 5, 1), date(2026, 1, 1))
    )
    assert holiday.waiting == before.waiting == after.waiting
    assert after.categories == before.categories != holiday.categories
    assert [book.on(day).since for day in (date(2025, 4, 30), date(2025, 12, 31), date(2026, 1, 1))] == [
        before.since, holiday.since, after.since]  # fmt: skip


def test_what_is_ours_is_listed_and_a_draft_is_called_one():
    lines = schemes.check()
    for code in schemes.load():
        assert any(line.startswith(f"assumed {code} ") for line in lines)
        sourced, assumed = schemes.get(code).counts()
        assert assumed > 0
        assert sourced > 0 or schemes.get(code).status == "draft"
    drafts = [line for line in lines if "the whole book is a draft" in line]
    assert [line.split()[1] for line in drafts] == ["BJ-ARCH", "CM-CSU"]
    for assumption in [
        "TG-AMU-TNS versions[2025-10-23].household: what becomes of the seventh was not found",
        "ML-RAMED versions[2020-01-01].categories[indigent]: the price of a person was not found",
        "MR-CNASS versions[2023-09-01].copay: no copay is told",
        "BJ-ARCH versions[2021-11-01].categories[general]: the price was not found",
    ]:
        assert any(assumption in line for line in lines), assumption


@pytest.fixture
def drafts():
    """Whether drafts may be used: no, unless the test sets it."""
    schemes.allow_drafts(False)
    yield schemes.allow_drafts
    schemes.allow_drafts(False)


def test_a_draft_is_quoted_but_nothing_is_set_up_or_billed_with_it(drafts):
    price = quote(schemes.get("BJ-ARCH"), [1980], on=TODAY, category="extreme-poor", checked=True)
    assert price.total == 0
    with pytest.raises(Refused) as refused:
        tenants.add_mutuelle(
            None,
            code="BJ-X",
            short_code="9",
            name="X",
            scheme="BJ-ARCH",
            country="BJ",
            currency="XOF",
            zone="x",
            language="fr",
        )
    assert (refused.value.key, refused.value.values) == ("scheme.draft", {"code": "BJ-ARCH"})
    with pytest.raises(Refused) as refused:
        bills.issue(None, None, None, price, born=[1980], on=TODAY)
    assert refused.value.key == "scheme.draft"
    assert schemes.in_use("SN-CMU").status == "ready"
    drafts(True)  # where every provider is on loopback
    assert schemes.in_use("BJ-ARCH").status == "draft"
    with pytest.raises(Refused) as refused:
        schemes.in_use("XX-NONE")
    assert refused.value.key == "scheme.unknown"
