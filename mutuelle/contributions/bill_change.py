"""What happened to a bill after it was issued: by how much its shares changed, and when."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Change:
    """By how much a bill's member share and whole price changed on a day, in whole units of either sign."""

    on: date
    member: int
    total: int
