"""When the next bill is due and for whom, by the rules alone."""

from dataclasses import replace
from datetime import date

import pytest

from mutuelle import clock
from mutuelle.billing import renewals
from mutuelle.cover.member_rights import InsuredPerson
from mutuelle.errors import Refused
from mutuelle.schemes import schemes

START = date(2026, 11, 22)


def test_what_had_to_be_proven_first_is_not_billed_again_once_the_proof_is_over():
    scheme = schemes.get("ML-RAMED")
    (category, *_) = [each for each in scheme.on(START).categories if each.proof_first]
    version = scheme.on(START).since
    candidate = renewals.RenewalCandidate(
        id=clock.new_id(),
        issued=date(2025, 11, 22),
        version=version,
        option="year",
        billed=category.code,
        open_until=START,
        claimed=category.code,
        standing="checked",
        people=(InsuredPerson(clock.new_id(), True, 1980, date(2020, 1, 1)),),
        credit=0,
    )
    assert renewals.price(scheme, candidate, START) is not None
    for standing in ("claimed", "refused"):
        with pytest.raises(Refused, match=r"category\.prove-first"):
            renewals.price(scheme, replace(candidate, standing=standing), START)


def test_a_bill_is_written_before_every_first_reminder():
    for book in schemes.load().values():
        for version in book.versions:
            assert renewals.lead_days(version) > max(
                version.reminders.before if version.reminders else (), default=0
            )
