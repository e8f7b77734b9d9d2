"""The oracle: what one household owes, has paid and is covered for, written from the documents.

It imports nothing of the product. Its acts are those of the history; each takes the day. Sources, by rule:

* prices, shares of the payers, stages, waiting, joining fee: the rule book's values;
* money pays the oldest bill of dues first and the joining fee last (decision 0004); what is taken back
  leaves the receipt's credit first, then its bills, the last paid first;
* a change of a bill counts for the months to come, the one under way included, or for the whole year, as the
  rule book says; the changes of a day are priced together, from its dawn; a bill that had opened nothing at
  dawn is priced whole for the household of today (decision 0009);
* a category proven when the cover of a bill begins, or later, holds for that bill though the proof runs out;
  one that is refused, or replaced, counts from that day on (decision 0009);
* a rolling bill is followed by the next one once it is paid in full, a day before the first reminder that its
  cover ends; in a fixed year everybody gets the next bill once the year is sold (decision 0010);
* a bill that opened nothing follows the rules and people of the day every night; the night looks at bills of
  older rules, and at those that changed and then lost money (`mutuelle/billing/unopened_bills.py`);
* a sponsor promises a percentage of the member's share before any sponsor, rounded down, and takes over
  nothing that is paid; promises stay (`mutuelle/organisation/sponsors.py`).
"""

from dataclasses import dataclass
from datetime import date

from tests.mutuelle.histories.oracle_books import (
    Basis,
    Bill,
    Line,
    Person,
    Receipt,
    apart,
    before_sponsors,
    promises,
)
from tests.mutuelle.histories.oracle_cover import CoveredDay, Life
from tests.mutuelle.histories.oracle_money import Purse
from tests.mutuelle.histories.oracle_rules import DAY, Rules, in_force, month_later


@dataclass
class Category:
    """What the household says it is; `state` is claimed, checked or refused."""

    code: str
    state: str
    since: date
    until: date | None = None
    ran_out: bool = False  # written because a proof had run out


@dataclass
class Sponsor:
    percent: int
    cap: int
    per_bill: int | None
    ended: bool = False


class Household(Purse):
    """One household's life; `versions` are the rules of its scheme, oldest first."""

    def __init__(self, versions: list[Rules], day: date, born: list[int], category: str) -> None:
        self.versions, self.first = versions, day
        self.people = [Person(f"P{n}", year, day) for n, year in enumerate(born)]
        self.category = Category(category, "claimed", day)
        self.proofs: list[Category] = []
        self.bills: list[Bill] = []
        self.receipts: list[Receipt] = []
        self.sponsors: list[Sponsor] = []
        rules = in_force(versions, day)
        self._issue(day, rules, rules.billed_as[category], rules.year_of(day + rules.ahead_days * DAY))
        if rules.joining_fee:
            fee = Bill(day, "fee", rules, None)
            fee.lines.append(Line(day, "member", rules.joining_fee, "issued", self.bills[0].bases[0]))
            self.bills.append(fee)

    # What is asked of the oracle

    def covered(self, first: date, last: date) -> dict[date, CoveredDay]:
        """Returns for each day which bill covers the household and each member, as known now."""
        days: dict[date, CoveredDay] = {}
        starts = [date.min, *self.taken_days()]
        for since, following in zip(starts, [*starts[1:], date.max], strict=True):
            life, day = Life(self.bills, self.people, since), max(first, since)
            while day <= last and day < following:
                days[day] = life.live_until(day).covered(day)
                day += DAY
        return days

    # Acts

    def joins(self, day: date, born: int) -> None:
        self.people.append(Person(f"P{len(self.people)}", born, day))
        self._price(day, "household")

    def leaves(self, day: date, name: str) -> None:
        next(person for person in self.people if person.name == name).until = day
        self._price(day, "household")

    def present(self, day: date) -> list[Person]:
        """Those who go on: who leaves today is not among them."""
        return [p for p in self.people if p.since <= day and (p.until is None or p.until > day)]

    def claims(self, day: date, category: str) -> bool:
        """Says that it is of a category. Refused while a proof holds."""
        now = self.category
        if now.state == "checked" and (now.until is None or now.until >= day):
            return False
        if (now.code, now.state) != (category, "claimed"):
            self._now_is(Category(category, "claimed", day))
            self._price(day, "category")
        return True

    def proven(self, day: date, category: str, until: date | None) -> None:
        if until is None and in_force(self.versions, day).evidence_months[category]:
            until = month_later(day, in_force(self.versions, day).evidence_months[category]) - DAY
        now = self.category
        if (now.code, now.state) == (category, "checked") and now.until in (until, until and until - DAY):
            return  # the same proof again, or a day later, is not new
        self._now_is(Category(category, "checked", day, until))
        self.proofs.append(self.category)
        self._price(day, "category")

    def refused(self, day: date) -> None:
        if self.category.state != "refused":
            self._now_is(Category(self.category.code, "refused", day))
            self._price(day, "category")

    def _now_is(self, category: Category) -> None:
        """Ends what held before on the eve of the new day."""
        if self.category.until is None or self.category.until >= category.since:
            self.category.until = category.since - DAY  # on no day, if it began on the same
        self.category = category

    def pays(self, day: date, units: int) -> None:
        self.receipts.append(Receipt(day, units, units, units))
        self._use_credit(day, [len(self.receipts) - 1])

    def taken_back(self, day: date, number: int, units: int) -> None:
        """The operator takes so many units of a receipt back: first those of a refund that waits."""
        waits = min(units, self.receipts[number].refund)
        self.receipts[number].refund -= waits
        self._lose(day, number, units - waits)

    def refunded(self, day: date, number: int, units: int) -> None:
        """The mutuelle decides to pay so many units of a receipt back."""
        self.receipts[number].refund += units
        self._lose(day, number, units)

    def sponsored(self, day: date, percent: int, cap: int, per_bill: int | None) -> bool:
        if any(not sponsor.ended for sponsor in self.sponsors):
            return False
        self.sponsors.append(Sponsor(percent, cap, per_bill))
        self._price(day, "sponsor")
        return True

    def sponsor_ends(self, day: date) -> None:
        for sponsor in self.sponsors:
            sponsor.ended = True
        self._price(day, "sponsor")

    def new_tariff(self, day: date) -> None:
        """The mutuelle applies the rules of today to the bills under way."""
        self._price(day, "rule")

    def night(self, day: date) -> None:
        """The daily run: proofs that ran out, bills that opened nothing, next bills."""
        now = self.category
        if now.state == "checked" and now.until is not None and now.until < day:
            self._now_is(Category(now.code, "claimed", now.until + DAY, ran_out=True))
            self._price(day, "category")
        self._end_expired(day)
        today = in_force(self.versions, day)
        if any(bill.owed() > 0 and (bill.has_lost_money() or bill.bases[-1].rules.since < today.since)
               for bill in self.dues()):  # fmt: skip
            self._price(day, "unopened")
        if self._renew(day):
            self._price(day, "sponsor")
            self._use_credit(day)

    # How bills come and change

    def _issue(self, day: date, rules: Rules, category: str, year: tuple[date, date] | None) -> None:
        basis = Basis(day, rules, category, tuple(person.name for person in self.present(day)))
        bill = Bill(day, "dues", rules, year, bases=[basis])
        for payer, units in rules.price(category, len(basis.people)).items():
            bill.lines.append(Line(day, payer, units, "issued", basis))
        self.bills.append(bill)

    def _renew(self, day: date) -> bool:
        last = max(self.dues(), key=lambda bill: bill.issued)
        rules = in_force(self.versions, day)
        year = rules.year_of(day + rules.ahead_days * DAY)
        if last.issued >= day:
            return False
        if last.year is not None:
            if year is None or last.year[0] >= year[0]:
                return False
        else:
            coming = self.covered(self.first, month_later(day, 13))
            until = max((d for d, covered in coming.items() if covered.household), default=None)
            if until is None or until - last.rules.lead_days * DAY > day or last.owed() > 0:
                return False
            rules = in_force(self.versions, max(day, until + DAY))
        self._issue(day, rules, self._billed(rules, last, None, day), year)
        return True

    def _end_expired(self, day: date) -> None:
        """A fixed year that is over and opened nothing is owed by nobody, and its money becomes credit."""
        for bill in self.dues():
            if bill.year is None or bill.year[1] >= day or not any(bill.parts().values()):
                continue
            days = [day, *(loss - DAY for loss in self.taken_days())]
            lives = [Life(self.bills, self.people, by).live_until(by) for by in days]
            if any(p.bill is bill and p.since <= p.until for life in lives for p in life.purchases):
                continue
            basis = bill.bases[-1]._replace(day=day)
            bill.lines += [
                Line(day, payer, -units, "expired", basis) for payer, units in bill.parts().items()
            ]
            bill.bases.append(basis)
            self._free(bill, day)
        self._use_credit(day)

    def _billed(self, rules: Rules, bill: Bill, cover_begins: date | None, day: date) -> str:
        """The category that counts for a bill whose cover began on a day, or has not begun."""
        now = self.category
        proven = now.state == "checked" and (now.until is None or now.until >= day)
        if cover_begins is not None and now.state == "checked":
            proven = proven or now.until is None or now.until >= cover_begins
        if cover_begins is not None and now.ran_out:
            proven = cover_begins < now.since
        so_far = bill.basis_at_dawn(day).category
        if now.code not in rules.prices:
            return so_far if so_far in rules.prices else rules.standard
        return now.code if proven else rules.billed_as[now.code]

    def _price(self, day: date, why: str) -> None:
        """Prices the bills under way for the household of this moment, the day's changes from its dawn."""
        changed = []
        life = Life(self.bills, self.people, day).live_until(day)
        for bill in self.dues():
            own = [p for p in life.purchases if p.bill is bill and p.since <= p.until and not p.void]
            left = _months_to_come(bill, [last for p in own for _, last in p.spans], day)
            if left <= 0:
                continue
            begins = min((p.since for p in own if p.known_on < day), default=None)
            rules = self._rules_for(bill, why, begins, day)
            if rules is None:
                continue
            people = tuple(person.name for person in self.present(day))
            basis = Basis(day, rules, self._billed(rules, bill, begins, day), people)
            whole = begins is None or left == rules.months
            more = self._difference(bill, basis, None if whole else left, day)
            before = bill.parts().get("member", 0)
            months = bill.rules.months if whole else left
            if self._write(bill, basis, more, self._corrected(bill, basis, more, months, day), why, day):
                changed.append((bill, bill.parts().get("member", 0) - before))
        for bill, _ in changed:
            self._free(bill, day)
        for bill, more_to_pay in changed:
            self._return_used(bill, more_to_pay, day)
        self._use_credit(day)

    def _rules_for(self, bill: Bill, why: str, begins: date | None, day: date) -> Rules | None:
        """A tariff that counts at once takes bills over; a bill that opened nothing follows today's rules."""
        so_far, today = bill.bases[-1].rules, in_force(self.versions, day)
        if begins is None:
            return today
        if why != "rule":
            return None if why == "unopened" else so_far
        return today if today.at_once and today.since > so_far.since else None

    def _difference(self, bill: Bill, basis: Basis, months: int | None, day: date) -> dict[str, int]:
        """By how much each payer's part, before sponsors, still changes; `months` None prices it whole."""
        dawn, now = bill.basis_at_dawn(day), before_sponsors(bill.parts())
        end = basis.rules.price(basis.category, len(basis.people))
        target = dict(end)
        if months is not None:
            start, target = dawn.rules.price(dawn.category, len(dawn.people)), {}
            at_dawn = before_sponsors(bill.parts_at_dawn(day))
            for payer in {*start, *end, *at_dawn}:
                change = (end.get(payer, 0) * months // basis.rules.months
                          - start.get(payer, 0) * months // basis.rules.months)  # fmt: skip
                target[payer] = at_dawn.get(payer, 0) + change
        return {payer: target.get(payer, 0) - now.get(payer, 0) for payer in {*target, *now}}

    def _corrected(
        self, bill: Bill, basis: Basis, more: dict[str, int], months: int, day: date
    ) -> dict[str, int]:
        """What of a new category's change is for those billed at dawn, if all of it asks more than that."""
        rules, dawn = basis.rules, bill.basis_at_dawn(day)
        begin = dawn.category if dawn.category in rules.prices else rules.standard
        was, now = (rules.price(category, len(dawn.people)) for category in (begin, basis.category))
        booked = before_sponsors(bill.corrections(day))
        net = {
            payer: now.get(payer, 0) * months // rules.months - was.get(payer, 0) * months // rules.months
            for payer in {*was, *now, *booked}
        }
        grown = booked.get("member", 0) + more.get("member", 0)
        if bill.issued == day or grown <= max(0, net.get("member", 0)):
            return more
        return {payer: units - booked.get(payer, 0) for payer, units in net.items()}

    def _write(
        self, bill: Bill, basis: Basis, more: dict[str, int], corrected: dict[str, int], why: str, day: date
    ) -> bool:
        """Writes the lines of a change, with what sponsors promise now. False if nothing changes."""
        promised, at_dawn = promises(bill.parts()), promises(bill.parts_at_dawn(day))
        gross = before_sponsors(bill.parts()).get("member", 0) + more.get("member", 0)
        targets, rest = dict.fromkeys({*promised, *at_dawn}, 0), gross
        helper = next((n for n, sponsor in enumerate(self.sponsors) if not sponsor.ended), None)
        for number in sorted(at_dawn):
            if number != helper:
                targets[number] = min(at_dawn[number], rest)
                rest -= targets[number]
        if helper is not None:
            sponsor = self.sponsors[helper]
            elsewhere = sum(promises(b.parts()).get(helper, 0) for b in self.bills if b is not bill)
            unpaid = gross - sum(at_dawn.values()) - bill.paid()
            limits = [gross * sponsor.percent // 100, sponsor.cap - elsewhere, rest]
            limits += [at_dawn.get(helper, 0) + max(0, unpaid)]
            limits += [] if sponsor.per_bill is None else [sponsor.per_bill]
            targets[helper] = max(0, min(limits))
        moved = {n: units - promised.get(n, 0) for n, units in targets.items() if units != promised.get(n, 0)}
        if not any(more.values()) and not moved and basis.rules.since <= bill.bases[-1].rules.since:
            return False
        bill.bases.append(basis)
        own = corrected if why == "category" else more
        for part, promised_part, reason in apart(more, own, moved, why):
            changes = {**part, "member": part.get("member", 0) - sum(promised_part.values())}
            changes |= {f"sponsor {number}": units for number, units in promised_part.items()}
            bill.lines += [Line(day, key, units, reason, basis) for key, units in changes.items() if units]
        return True


def _months_to_come(bill: Bill, last_days: list[date], day: date) -> int:
    """Months that a change on `day` counts for: those not over; in a fixed year, all of it."""
    if bill.year is not None:
        return bill.rules.months if day <= bill.year[1] else 0
    return bill.rules.months - sum(last < day for last in last_days)
