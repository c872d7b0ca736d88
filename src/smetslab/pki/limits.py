"""Bounds and numbers of the public key infrastructure, each with its reason."""

from __future__ import annotations

from typing import Final

MAX_CERTIFICATE_BYTES: Final = 4096
"""DER of one certificate. The longest published one has 433 octets; ten times that leaves room."""

MAX_PEM_BYTES: Final = 16 * 1024
"""A PEM file of one certificate or key: base64 of the bound above, and room for text before it."""

MAX_KEYSTORE_BYTES: Final = 16 * 1024 * 1024
"""A keystore.json. An entry takes about 1 KiB: some 8,000 devices with two certificates each."""

MAX_KEYSTORE_FILES: Final = 50_000
"""PEM and key files in one folder: 10,000 devices with certificates and keys for both uses, and some."""

MAX_PATH_CERTIFICATES: Final = 5
"""Certificates in a path, its trust anchor not counted. SMKI has two: entity, issuing authority."""

MAX_SIGNATURE_CHECKS: Final = 64
"""Signatures verified while one path is looked for, so that look-alike issuers cannot keep us busy."""

KEY_IDENTIFIER_BYTES: Final = 8
"""Length of a subject or authority key identifier. Spec: GBCS 12; RFC 5280 4.2.1.2 method 2."""

SERIAL_BYTES: Final = 16
"""Length of a certificate serial number. Spec: SMKI certificate profiles."""
