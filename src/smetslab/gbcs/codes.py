"""Small numbers of GBCS that have names. Spec: GBCS Annex 3 (ASN.1 modules), 7.2.7."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Cra(IntEnum):
    """CRA flag of the grouping header. Spec: GBCS 7.2.7."""

    COMMAND = 1
    RESPONSE = 2
    ALERT = 3


class RemotePartyRole(IntEnum):
    """Role of a remote party in a Trust Anchor Cell. Spec: GBCS Annex 3."""

    ROOT = 0
    RECOVERY = 1
    SUPPLIER = 2
    NETWORK_OPERATOR = 3
    ACCESS_CONTROL_BROKER = 4
    TRANSITIONAL_COS = 5
    WAN_PROVIDER = 6
    ISSUING_AUTHORITY = 7
    LOAD_CONTROLLER = 8
    OTHER = 127


class KeyUsage(StrEnum):
    """The one key usage bit of a certificate or cell. Spec: GBCS 12, Annex 3."""

    DIGITAL_SIGNATURE = "digitalSignature"
    KEY_AGREEMENT = "keyAgreement"
    KEY_CERT_SIGN = "keyCertSign"


class CellUsage(IntEnum):
    """What a Trust Anchor Cell is for. Spec: GBCS Annex 3."""

    MANAGEMENT = 0
    PREPAYMENT_TOP_UP = 1


class DeviceType(IntEnum):
    """Device types of the device log. Spec: GBCS Annex 3."""

    GSME = 0
    ESME = 1
    CHF = 2
    GPF = 3
    HCALCS = 4
    PPMID = 5
    TYPE_2 = 6


class CounterFamily(StrEnum):
    """Which execution counter judges a replay. The split is unverified; see GBCS 4.3.1.4."""

    ORDINARY = "ordinary"
    CS02B = "cs02b"
    UTRN = "utrn"
    NONE = "none"
