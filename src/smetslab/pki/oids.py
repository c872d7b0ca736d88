"""Object identifiers of the certificate profiles. Spec: RFC 5280; RFC 4108; GBCS 12."""

from __future__ import annotations

from typing import Final

ECDSA_WITH_SHA256: Final = "1.2.840.10045.4.3.2"
EC_PUBLIC_KEY: Final = "1.2.840.10045.2.1"
P256: Final = "1.2.840.10045.3.1.7"

COMMON_NAME: Final = "2.5.4.3"
ORGANISATIONAL_UNIT: Final = "2.5.4.11"
UNIQUE_IDENTIFIER: Final = "2.5.4.45"

SUBJECT_KEY_IDENTIFIER: Final = "2.5.29.14"
KEY_USAGE: Final = "2.5.29.15"
SUBJECT_ALTERNATIVE_NAME: Final = "2.5.29.17"
BASIC_CONSTRAINTS: Final = "2.5.29.19"
CERTIFICATE_POLICIES: Final = "2.5.29.32"
ANY_POLICY: Final = "2.5.29.32.0"
AUTHORITY_KEY_IDENTIFIER: Final = "2.5.29.35"

HARDWARE_MODULE_NAME: Final = "1.3.6.1.5.5.7.8.4"

ORGANISATION_POLICY: Final = "1.2.826.0.1.8641679.1.2.1.4"
"""The policy of organisation certificates, and of the virtual devices of the published test tools."""

RTDS_DEVICE_POLICY: Final = "1.2.826.0.1.1800000.1.2.1.4"
"""The policy of the device certificates of the Reference Test Data Set."""

HARDWARE_TYPE: Final = "1.2.826.0.1.8641679.1.2.2.1"
"""hwType of the device certificates of the Reference Test Data Set; the profile allows any."""
