"""Sizes of firmware images, each with where it comes from."""

from __future__ import annotations

from typing import Final

MAX_BASE64_OCTETS: Final = 10_240_000
"""The longest image that a service user may send, as base64. Spec: DUIS schema (SRV 11.1)."""

MAX_FILE_OCTETS: Final = MAX_BASE64_OCTETS // 4 * 3
"""The longest OTA file."""

MAX_HEADER_OCTETS: Final = 256
"""The longest OTA header that is read: the longest one of header version 1 has 69 octets."""
