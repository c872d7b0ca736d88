"""Bounds on documents. All are choices of this laboratory where no source is named."""

from __future__ import annotations

MAX_DOCUMENT_BYTES = 1024 * 1024
"""The most that is read as one document. The longest published template has 22 kB."""

MAX_FIRMWARE_DOCUMENT_BYTES = 12 * 1024 * 1024
"""For documents that carry a firmware image (service requests 11.1 and 11.4)."""

MAX_DEPTH = 32
"""The deepest element of the DUIS schema 5.4 stands 13 levels below its root."""

MAX_ELEMENTS = 50_000

MAX_NUMBER_DIGITS = 40
"""The most digits that are read as one number; 2^64 has 20."""
