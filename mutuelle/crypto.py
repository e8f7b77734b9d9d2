"""Encrypts phones, credentials and raw messages for storage, and computes the blind index that finds a phone.

Keys are derived from PHONE_KEY and SECRET_KEY by HKDF-SHA256 (RFC 5869), one per purpose. The cipher is
AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce in front. One blind index serves all tenants:
HMAC-SHA256 of the E.164 form.
"""

import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NONCE = 12


@dataclass(frozen=True)
class Keys:
    """The keys of this process, by purpose."""

    phone: bytes
    index: bytes
    notice: bytes
    credential: bytes
    seal: bytes


_keys: Keys | None = None


def derive(secret: str, purpose: str) -> bytes:
    """Derives the 32-byte key for `purpose` from `secret`."""
    return HKDF(SHA256(), 32, salt=None, info=f"mutuelle:{purpose}:1".encode()).derive(secret.encode())


def use(phone_key: str, secret_key: str) -> None:
    """Sets the secrets of this process."""
    global _keys
    _keys = Keys(
        derive(phone_key, "phone"),
        derive(phone_key, "index"),
        derive(secret_key, "notice"),
        derive(secret_key, "credential"),
        derive(secret_key, "seal"),
    )
    blind_index.cache_clear()


def keys() -> Keys:
    """Returns the keys of this process. RuntimeError before `use` was called."""
    if _keys is None:
        raise RuntimeError("crypto.use was not called")
    return _keys


def _seal(key: bytes, plain: bytes) -> bytes:
    nonce = os.urandom(NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plain, None)


def _open(key: bytes, sealed: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:NONCE], sealed[NONCE:], None)
    except (InvalidTag, ValueError) as error:  # ValueError: too short to be one of ours
        raise ValueError(
            "cannot decrypt: PHONE_KEY or SECRET_KEY differs from the one it was stored with"
        ) from error


@lru_cache(maxsize=4096)
def blind_index(phone: str) -> bytes:
    """Returns the 16-byte blind index by which an encrypted phone is found. `phone` is E.164 with `+`."""
    return hmac.digest(keys().index, phone.encode(), "sha256")[:16]


def seal_phone(phone: str) -> bytes:
    return _seal(keys().phone, phone.encode())


def open_phone(sealed: bytes) -> str:
    return _open(keys().phone, sealed).decode()


def number_index(number: str) -> bytes:
    """Returns the 16-byte blind index of a number on a document; it never equals that of a phone."""
    return hmac.digest(keys().index, f"number:{number}".encode(), "sha256")[:16]


def name_index(words: str) -> bytes:
    """Returns the 16-byte blind index of the words of a name; it never equals that of a phone or number."""
    return hmac.digest(keys().index, f"name:{words}".encode(), "sha256")[:16]


def seal_number(number: str) -> bytes:
    return _seal(keys().phone, f"number:{number}".encode())


def open_number(sealed: bytes) -> str:
    return _open(keys().phone, sealed).decode().removeprefix("number:")


def seal_words(body: bytes) -> bytes:
    """Encrypts a raw message from outside, for the inbox."""
    return _seal(keys().notice, body)


def open_words(sealed: bytes) -> bytes:
    return _open(keys().notice, sealed)


def seal_credentials(credentials: Mapping[str, str]) -> bytes:
    return _seal(keys().credential, json.dumps(dict(credentials), sort_keys=True).encode())


def open_credentials(sealed: bytes) -> dict[str, str]:
    opened: dict[str, str] = json.loads(_open(keys().credential, sealed))
    return opened


def token_hash(token: str) -> bytes:
    """Returns the SHA-256 stored for a path token, which needs no salt because it has 128 random bits."""
    return hashlib.sha256(token.encode()).digest()
