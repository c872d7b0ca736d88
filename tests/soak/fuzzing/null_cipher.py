"""A cipher that changes nothing and a tag of zeros, in the place of AES-GCM.

A mutation of sealed octets never opens, and so never reaches what reads them when they are in clear. With
this in place a mutation of the plaintext does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from smetslab.crypto import TAG_BYTES
from smetslab.errors import SecurityError
from smetslab.gbcs import security

TAG = bytes(TAG_BYTES)


def _seal(key: bytes, iv: bytes, plaintext: bytes, aad: bytes) -> bytes:
    del key, iv, aad
    return plaintext + TAG


def _open(key: bytes, iv: bytes, sealed: bytes, aad: bytes) -> bytes:
    del key, iv, aad
    if sealed[-TAG_BYTES:] != TAG:
        raise SecurityError("decryption", "tag does not match")
    return sealed[:-TAG_BYTES]


@contextmanager
def null_cipher() -> Iterator[None]:
    """Protected content is plaintext and a tag of zeros while this is entered."""
    kept = security.gcm_seal, security.gcm_open
    security.gcm_seal, security.gcm_open = _seal, _open
    try:
        yield
    finally:
        security.gcm_seal, security.gcm_open = kept
