"""Key Establishment, cluster 0x0800: how two devices agree on a link key.

Spec: ZSE 1.4 annex C.3
"""

from __future__ import annotations

from enum import IntEnum

from smetslab.zigbee.zcl.cluster import CLIENT_TO_SERVER, SERVER_TO_CLIENT, Cluster, attribute, command
from smetslab.zigbee.zcl.fields import fields, rest
from smetslab.zigbee.zcl.named import Enumeration, Flags
from smetslab.zigbee.zcl.types import Bitmap16, Enum8, FixedOctets, UInt8

SUITE_1, SUITE_2 = 0x0001, 0x0002
"""Bits of the cryptographic suites. GB devices use suite 2. Spec: ZSE 1.4 C.3.1.2.2.1."""

_SUITES = Flags(Bitmap16, {0: "cryptographic_suite_1", 1: "cryptographic_suite_2"})


class TerminateStatus(IntEnum):
    """Why a key establishment ended. Spec: ZSE 1.4 C.3.1.2.3.1.4."""

    UNKNOWN_ISSUER = 1
    BAD_KEY_CONFIRM = 2
    BAD_MESSAGE = 3
    NO_RESOURCES = 4
    UNSUPPORTED_SUITE = 5
    INVALID_CERTIFICATE = 6


_STATUS = Enumeration(Enum8, {int(status): status.name.lower() for status in TerminateStatus})
_INITIATE = fields(
    key_establishment_suite=_SUITES,
    ephemeral_data_generate_time=UInt8,
    confirm_key_generate_time=UInt8,
    identity=rest(),
)
_EPHEMERAL = fields(ephemeral_data=rest())
_CONFIRM = fields(message_authentication_code=FixedOctets("message authentication code", 16))
_TERMINATE = fields(status_code=_STATUS, wait_time=UInt8, key_establishment_suite=_SUITES)


class KeyEstablishment(Cluster, id=0x0800, spec="ZSE 1.4 C.3"):
    """Spec: ZSE 1.4 C.3. Every command has the same shape in both directions; times are seconds."""

    key_establishment_suite = attribute(0x0000, _SUITES, mandatory=True, default=SUITE_2)
    key_establishment_suite_of_client = attribute(
        0x0000, _SUITES, mandatory=True, server=False, default=SUITE_2
    )

    initiate_key_establishment_request = command(0x00, CLIENT_TO_SERVER, _INITIATE)
    ephemeral_data_request = command(0x01, CLIENT_TO_SERVER, _EPHEMERAL)
    confirm_key_data_request = command(0x02, CLIENT_TO_SERVER, _CONFIRM)
    terminate_key_establishment_by_client = command(0x03, CLIENT_TO_SERVER, _TERMINATE)

    initiate_key_establishment_response = command(0x00, SERVER_TO_CLIENT, _INITIATE)
    ephemeral_data_response = command(0x01, SERVER_TO_CLIENT, _EPHEMERAL)
    confirm_key_data_response = command(0x02, SERVER_TO_CLIENT, _CONFIRM)
    terminate_key_establishment_by_server = command(0x03, SERVER_TO_CLIENT, _TERMINATE)
