"""Sources of randomness: one per name, decided by the seed and the name."""

import random
import uuid


def of(who: str, seed: int) -> random.Random:
    """Returns the source of `who`. It repeats on every machine and in every order of calls."""
    return random.Random(f"{who} {seed}")  # noqa: S311  # a simulation must repeat


def new_id(chance: random.Random) -> uuid.UUID:
    """Returns a UUID4 drawn from `chance`."""
    return uuid.UUID(int=chance.getrandbits(128), version=4)
