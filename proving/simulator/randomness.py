"""All chance of a run: everybody draws from a source of their own, which the seed and their name decide."""

import random
import uuid


def of(who: str, seed: int) -> random.Random:
    """What `who` draws from. It repeats, on every machine and in every order of asking others."""
    return random.Random(f"{who} {seed}")  # noqa: S311  # a simulation must repeat


def new_id(chance: random.Random) -> uuid.UUID:
    """A UUID4 out of `chance`."""
    return uuid.UUID(int=chance.getrandbits(128), version=4)
