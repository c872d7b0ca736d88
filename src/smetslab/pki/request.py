"""Certification requests (PKCS#10) as devices make them for their own keys.

The subject is empty, as that of a device certificate; what the certificate is to say stands in the extension
request: key usage and hardware module name. Which attributes a request has is unverified: the published
vectors show none.

Spec: RFC 2986; RFC 2985 5.4.2 (extensionRequest); GBCS use case CS02c.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from smetslab.crypto import PrivateKey
from smetslab.gbcs.codes import KeyUsage
from smetslab.ids import Eui64
from smetslab.pki import der, oids, template
from smetslab.pki.profile import ALGORITHM, public_key_info

_EXTENSION_REQUEST: Final = "1.2.840.113549.1.9.14"


def device_request(
    key: PrivateKey, entity_id: Eui64, usage: KeyUsage, *, hardware_type: str = oids.HARDWARE_TYPE
) -> bytes:
    """The DER of a request for a certificate for `key`, signed with it."""
    extensions = der.sequence(
        template.key_usage(usage), template.hardware_module_name(entity_id, hardware_type)
    )
    attribute = der.sequence(der.object_identifier(_EXTENSION_REQUEST), der.tlv(der.SET, extensions))
    body = der.sequence(der.integer(0), der.sequence(), public_key_info(key.public), der.tlv(0xA0, attribute))
    raw = key.sign(body)
    signature = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    return der.sequence(body, ALGORITHM, der.bit_string(signature))
