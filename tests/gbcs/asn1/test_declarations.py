"""The rows of the use cases with ASN.1 content."""

from __future__ import annotations

import pytest

from smetslab.errors import GbcsDecodeError, GbcsEncodeError
from smetslab.gbcs.asn1 import codec
from smetslab.gbcs.asn1.primitives import Number
from smetslab.gbcs.codes import CounterFamily, Cra, DeviceType, RemotePartyRole
from smetslab.gbcs.message import Message, OtherInformation
from smetslab.gbcs.usecases import (
    USE_CASES,
    activation_of,
    by_code,
    decode_content,
    encode_content,
)
from smetslab.gbcs.usecases.asn1 import Asn1Payload
from smetslab.gbcs.usecases.engine import command_parameter_names
from smetslab.gbcs.usecases.model import Protection
from smetslab.ids import Eui64

BOTH = Protection(signature=True, message_mac=True)
SIGNED = Protection(signature=True, message_mac=False)
MACED = Protection(signature=False, message_mac=True)

SUPPLIER = RemotePartyRole.SUPPLIER
ACB = RemotePartyRole.ACCESS_CONTROL_BROKER

CODES = {
    "CCS08": 0x0128,
    "CS02a": 0x0008,
    "CS02b.rootBySupplier": 0x0100,
    "CS02b.rootByWanProvider": 0x0101,
    "CS02b.supplierBySupplier": 0x0102,
    "CS02b.networkOperatorByNetworkOperator": 0x0103,
    "CS02b.accessControlBrokerByACB": 0x0104,
    "CS02b.wanProviderByWanProvider": 0x0105,
    "CS02b.transCoSByTransCoS": 0x0106,
    "CS02b.supplierByTransCoS": 0x0107,
    "CS02b.anyExceptAbnormalRootByRecovery": 0x0108,
    "CS02b.anyByContingency": 0x0109,
    "CS02b-ALERT": 0x00CB,
    "CS02c": 0x000A,
    "CS02d": 0x000B,
    "CS02e": 0x000C,
    "CS02f": 0x011B,
    "CS02g.loadControllerByLoadController": 0x0125,
    "CS02g.loadControllerBySupplier": 0x0126,
    "CS02g-ALERT": 0x0124,
    "CS03A1": 0x000D,
    "CS03A2": 0x00AB,
    "CS03B": 0x000E,
    "CS03C": 0x00AF,
    "CS04AC": 0x000F,
    "CS04B": 0x0010,
    "CS06": 0x0012,
    "CS06-ALERT": 0x00CA,
    "CS07": 0x0013,
    "CS08": 0x0129,
    "CS09": 0x012B,
    "GCS28": 0x007F,
    "GCS59": 0x008C,
    "GCS62": 0x00B2,
}


def header(code: int, cra: Cra, content: bytes = b"") -> Message:
    return Message(
        cra=cra,
        originator_counter=1000,
        business_originator_id=Eui64.parse("90B3D51F30010000"),
        business_target_id=Eui64.parse("00DB1234567890A0"),
        other_information=OtherInformation(message_code=code),
        content=content,
    )


def test_every_use_case_with_asn1_content_is_declared() -> None:
    declared = {row.name: row.code for row in USE_CASES.values() if isinstance(row.payload, Asn1Payload)}
    assert declared == CODES


def test_every_declared_message_is_a_message_type_of_the_schema_and_every_one_is_used() -> None:
    payloads = [row.payload for row in USE_CASES.values() if isinstance(row.payload, Asn1Payload)]
    used = {name for one in payloads for name in (one.command, one.response, one.alert) if name}
    assert used == {name for name in codec.types() if name.endswith(("Command", "Response", "Alert"))}


def replacement_modes() -> dict[int, str]:
    compiled = codec.types()["CredentialsReplacementMode"]
    assert isinstance(compiled, Number)
    return dict(compiled.names)


def test_the_mode_of_a_replacement_is_its_name_and_its_place_among_the_codes() -> None:
    modes = replacement_modes()
    rows = {row.name.split(".")[1]: row.code for row in USE_CASES.values() if "." in row.name}
    assert {mode: rows[name] for mode, name in modes.items()} == {
        mode: 0x0100 + mode if mode < 10 else 0x0125 + mode - 10 for mode in range(12)
    }


@pytest.mark.parametrize(
    ("name", "originator", "target", "command", "response"),
    [
        ("CS02a", ACB, DeviceType.ESME, MACED, MACED),
        ("CS02a", RemotePartyRole.TRANSITIONAL_COS, DeviceType.ESME, SIGNED, SIGNED),
        ("CS02f", SUPPLIER, DeviceType.ESME, SIGNED, SIGNED),
        ("CS02b.supplierBySupplier", SUPPLIER, DeviceType.ESME, BOTH, SIGNED),
        ("CS02b.supplierBySupplier", ACB, DeviceType.GPF, BOTH, SIGNED),
        ("CS02b.accessControlBrokerByACB", ACB, DeviceType.ESME, MACED, SIGNED),
        ("CS02b.accessControlBrokerByACB", ACB, DeviceType.CHF, BOTH, SIGNED),
        ("CS02b.anyExceptAbnormalRootByRecovery", RemotePartyRole.RECOVERY, DeviceType.ESME, SIGNED, SIGNED),
        ("CS02b.anyByContingency", RemotePartyRole.ROOT, DeviceType.ESME, SIGNED, SIGNED),
        ("CS03C", ACB, DeviceType.PPMID, BOTH, SIGNED),
        ("CS04AC", SUPPLIER, DeviceType.ESME, BOTH, SIGNED),
        ("CS04B", SUPPLIER, DeviceType.GSME, MACED, MACED),
        ("CS06", SUPPLIER, DeviceType.ESME, BOTH, SIGNED),
        ("CS08", ACB, DeviceType.PPMID, MACED, MACED),
        ("GCS59", ACB, DeviceType.GPF, MACED, MACED),
    ],
)
def test_protection_follows_criticality_except_where_the_row_says_otherwise(
    name: str, originator: RemotePartyRole, target: DeviceType, command: Protection, response: Protection
) -> None:
    row = USE_CASES[name]
    assert row.command_protection(originator, target) == command
    assert row.response_protection(originator) == response


def test_replacement_of_credentials_has_counters_and_alerts_of_its_own() -> None:
    for row in USE_CASES.values():
        if row.name.startswith(("CS02b.", "CS02g.")):
            alert = by_code(row.alerts[0])
            assert alert is not None
            assert alert.name == row.name[:5] + "-ALERT"
            assert row.counter_family is alert.counter_family is CounterFamily.CS02B
            assert row.future_dateable
            assert row.date_time_in_response
            assert row.replay_protected


def test_modes_that_no_vector_shows_are_marked() -> None:
    unseen = {row.name for row in USE_CASES.values() if row.confidence == "unverified"}
    assert {"CS02b.rootBySupplier", "CS02b.rootByWanProvider"} <= unseen
    for row in USE_CASES.values():
        assert not [name for name in row.unverified if not hasattr(row, name)]


HASH = "AA" * 32


@pytest.mark.parametrize(
    ("given", "tail"),
    [
        ({"execution_date_time": "immediate"}, ""),
        ({}, ""),
        ({"execution_date_time": "never"}, "180F" + b"99991231235959Z".hex()),
        ({"execution_date_time": "2030-01-15T09:00:00Z"}, "180F" + b"20300115090000Z".hex()),
    ],
)
def test_an_activation_is_immediate_without_a_date(given: dict[str, str], tail: str) -> None:
    row = USE_CASES["CS06"]
    message = header(row.code, Cra.COMMAND)
    body = "0420" + HASH + "020203E8" + tail
    content = bytes.fromhex(f"30{len(body) // 2:02X}" + body)
    parameters = {"manufacturer_image_hash": HASH, "originator_counter": 1000} | given
    assert encode_content(row, message, parameters) == content
    decoded = decode_content(row, header(row.code, Cra.COMMAND, content))
    assert decoded == parameters | {"execution_date_time": given.get("execution_date_time", "immediate")}
    assert activation_of(row, decoded) == decoded["execution_date_time"]


def test_commands_name_the_parameters_they_need() -> None:
    assert command_parameter_names(USE_CASES["CS06"]) == ("manufacturer_image_hash", "originator_counter")
    assert command_parameter_names(USE_CASES["CS04AC"]) == ("other_device_entity_identifier",)
    assert command_parameter_names(USE_CASES["CS07"]) == ()
    assert command_parameter_names(USE_CASES["GCS62"]) == ()


@pytest.mark.parametrize(
    ("name", "cra"), [("CS06", Cra.ALERT), ("GCS62", Cra.COMMAND), ("GCS62", Cra.RESPONSE)]
)
def test_a_message_that_the_use_case_does_not_have_is_refused(name: str, cra: Cra) -> None:
    row = USE_CASES[name]
    with pytest.raises(GbcsDecodeError, match="no such message"):
        decode_content(row, header(row.code, cra, b"\x05\x00"))
    with pytest.raises(GbcsEncodeError, match="no such message"):
        encode_content(row, header(row.code, cra), {})


@pytest.mark.parametrize(
    ("content", "recognised"),
    [
        ("3000", True),
        ("0500", True),
        ("020100", True),
        ("0400", True),
        ("0F20", False),
        ("0109", False),
        ("", False),
    ],
)
def test_content_is_recognised_by_its_first_octet(content: str, recognised: bool) -> None:
    assert USE_CASES["GCS62"].payload.recognises(bytes.fromhex(content)) is recognised
