"""Reads our own references: the UUIDs under which we send payment requests to operators."""

import re
from uuid import UUID

_AS_WE_WRITE_IT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def read(value: object) -> UUID | None:
    """The reference that `value` spells, in any form that `UUID` reads. None when it is no such text.

    >>> read("{3F0F6A5E6F0E4A5C9F0A2D3F6B1C7E11}")
    UUID('3f0f6a5e-6f0e-4a5c-9f0a-2d3f6b1c7e11')
    """
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def normalize(value: object) -> str | None:
    """The reference that `value` spells, as we write it. None when it is no such text."""
    ref = read(value)
    return str(ref) if ref else None


def read_exact(value: str | None) -> UUID | None:
    """The reference in `value`, which must be written exactly as we write ours. None otherwise."""
    return UUID(value) if value and _AS_WE_WRITE_IT.fullmatch(value) else None
