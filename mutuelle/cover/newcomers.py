"""Says when a bill covers a person who joined after it was issued: at once if free, or once paid for. Pure.

The last change of the day of joining names the years of birth that are billed from then on, as they were
noted on that day. It does not name a year that was corrected later, nor a person who changed no price.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from mutuelle.contributions.bill_change import PriceBasis
from mutuelle.contributions.bills import BillState
from mutuelle.contributions.quotes import price_of
from mutuelle.cover.cover_periods import BillPayment, CoverPeriod, VersionOf, stages_reached
from mutuelle.schemes.money_rules import MEMBER
from mutuelle.schemes.version_rules import Version


def costs_nothing(
    version_of: VersionOf, bill: BillState, basis: PriceBasis, born: int, others: Sequence[int]
) -> bool:
    """Whether the member's share by the `basis` is the same without a newcomer of the year `born`.

    `others` are the years of birth, as noted today, of everybody else who was in the household on the evening
    on which the bill followed the basis. When it names nobody who could be this person, nothing was written
    for the newcomer, because nothing changed.
    """
    version = version_of(basis.version).covering_as(version_of(bill.version))
    category = version.category(basis.category)

    def share(years: Sequence[int]) -> int:
        return price_of(version, category, years, bill.option, bill.issued).shares[MEMBER]

    def is_free(years: Sequence[int], place: int) -> bool:
        return share(years) == share([*years[:place], *years[place + 1 :]])

    nobodys = list((Counter(basis.born) - Counter(others)).elements())
    if not nobodys:
        return True
    billed_as = min(nobodys, key=lambda year: (abs(year - born), year))  # another year was corrected since
    place = len(basis.born) - 1 - basis.born[::-1].index(billed_as)  # in rank order newcomers are the last
    if is_free(basis.born, place):
        return True
    if billed_as == born or len(others) < len(basis.born):
        return False
    # There are more members than billed years: this one may belong to another member, if this person is free.
    return is_free([*basis.born[:place], born, *basis.born[place + 1 :]], place)


def paid_for(version: Version, period: CoverPeriod, money: Sequence[BillPayment], since: date) -> date | None:
    """Returns the day from which the stage's cover includes a person billed since the day `since`, or None.

    The share that must be paid is that of the bill with the changes of that day.
    """
    bill = period.bill
    before = bill.known_on(since)
    with_person = replace(
        bill,
        issued=max(since, bill.issued),
        issued_share=before.member_share,
        issued_total=before.total,
        changes=tuple(change for change in bill.changes if change.on > since),
    )
    for stage, _, day in stages_reached(version, with_person, money):
        if stage.months >= period.stage.months:
            return max(day, period.known_since)
    return None
