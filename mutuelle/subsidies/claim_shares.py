"""Splits the units of a bill line among the members it is for. Pure: no session."""

from collections import Counter
from collections.abc import Sequence

from mutuelle.contributions.quotes import age
from mutuelle.schemes.version_rules import Version
from mutuelle.subsidies.claim_lines import ClaimMember, PayableLine


def member_shares(
    version: Version, payable: PayableLine, members: Sequence[ClaimMember], units: int
) -> list[tuple[ClaimMember, int]]:
    """Returns the part of each member of `units` of a bill line; the parts add up."""
    return list(zip(members, shares(units, _weights(version, payable, members)), strict=True))


def _weights(version: Version, payable: PayableLine, members: Sequence[ClaimMember]) -> list[int]:
    """Returns the members' prices, or equal weights where the price is the household's."""
    pricing, category = version.pricing, version.category(payable.category)
    if pricing.basis == "household":
        return [1] * len(members)
    ages = [age(born, payable.issued) for born in _born_as_billed(payable, members)]
    return [category.price_at(years, payable.option) if years >= pricing.free_below else 0 for years in ages]


def _born_as_billed(payable: PayableLine, members: Sequence[ClaimMember]) -> list[int]:
    """Returns the members' years of birth as the bill line was priced: some may be corrected since.

    A line that is for some members only, because they came or left, does not tell them apart.
    """
    if len(members) != len(payable.born):
        return [member.born for member in members]
    billed, years = Counter(payable.born), list[int | None]()
    for member in members:
        is_billed = billed[member.born] > 0
        billed[member.born] -= is_billed
        years.append(member.born if is_billed else None)
    corrected = sorted(billed.elements())
    return [corrected.pop(0) if year is None else year for year in years]


def shares(units: int, weights: Sequence[int]) -> list[int]:
    """Splits `units` by `weights` into whole units that add up; the first part gets the odd units.

    >>> shares(10, [1, 1, 1]), shares(-10, [1, 1, 1]), shares(9, [2, 0, 1])
    ([4, 3, 3], [-4, -3, -3], [6, 0, 3])
    """
    weights = weights if any(weights) else [1] * len(weights)
    sign, whole = (1 if units >= 0 else -1), sum(weights)
    parts = [abs(units) * weight // whole for weight in weights]
    parts[0] += abs(units) - sum(parts)
    return [sign * part for part in parts]
