"""The declared DLMS use cases: all are there, their names say something, and rare combinations work."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from smetslab.errors import GbcsDecodeError, GbcsEncodeError, SecurityError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.dlms.apdu import DataNotification
from smetslab.gbcs.dlms.axdr import Data, null, structure
from smetslab.gbcs.dlms.forms import Flags, NamedList, OneOf
from smetslab.gbcs.dlms.shapes import Compact, Const, ListOf, Nullable, Packed, Shape, Struct
from smetslab.gbcs.message import Message, OtherInformation
from smetslab.gbcs.usecases import USE_CASES, UseCase, decode_content, encode_content
from smetslab.gbcs.usecases.dlms import AccessItem, DlmsAccess, DlmsAlert
from smetslab.gbcs.usecases.sealed import SealedAlert
from smetslab.gbcs.values import Parameters
from smetslab.ids import Eui64

PUBLISHED = """
CCS01 0001  CCS02 0002  CCS03 0003  CCS05/CCS04 0004  CCS06 010F  CCS07 00FE  CS01a 0007  CS14 0018
DBCH01 010A  DBCH02 010B  DBCH03 010C  DBCH04 010D  DBCH05 010E  DBCH06 0110  DBCH07 0111
DBCH08 0112  DBCH09 0113  DBCH10 0114  DBCH11 0115  ECS01a 0019  ECS01b 00A2  ECS01c 00B7
ECS01d 00C7  ECS02 001A  ECS03 001B  ECS04a 001C  ECS04b 00B3  ECS05 001D  ECS07 001E  ECS08 001F
ECS08a 00DE  ECS09 0020  ECS10 0021  ECS12 0022  ECS14 0023  ECS15a 0024  ECS15c 00C1  ECS16 0025
ECS17a 0026  ECS17b 0027  ECS17c 0028  ECS17d 0029  ECS17e 002A  ECS18a 002B  ECS18b 002C
ECS19 002D  ECS20a 002E  ECS20b 002F  ECS20c 0030  ECS20d 00C9  ECS21a 0033  ECS21b 0034
ECS21c 0035  ECS22a 0036  ECS22b 0037  ECS22c 0038  ECS23 0039  ECS23b 00BC  ECS24 003A  ECS24b 00BD
ECS25a 00AC  ECS25a1 00EA  ECS25a2 00EB  ECS25a3 00EC  ECS25b 00B0  ECS25b3 00ED  ECS25r1 00EE
ECS25r2 00EF  ECS26a 003B  ECS26b 003C  ECS26c 003D  ECS26d 003E  ECS26e 003F  ECS26f 0040
ECS26i 0092  ECS26j 00BE  ECS26k 00C6  ECS26l 00D9  ECS26m 00F9  ECS26n 00FA  ECS27 0042
ECS28a 0043  ECS28b 0044  ECS29a 0045  ECS29b 00AE  ECS29c 00D1  ECS29d 00D2  ECS29e 00D3
ECS29f 00D4  ECS30 0046  ECS30a 00D7  ECS34 0047  ECS35a 0048  ECS35b 0049  ECS35c 0093  ECS35d 0094
ECS35e 00B9  ECS35f 00BA  ECS35g 00FD  ECS37 004A  ECS38 004B  ECS39a 004C  ECS39b 004D  ECS40 004E
ECS42 004F  ECS43 0050  ECS44 0051  ECS45 0052  ECS46a 0053  ECS46c 0054  ECS46d 011A  ECS47 0055
ECS47a 011E  ECS47e 011F  ECS48 00DB  ECS50 0058  ECS52 0059  ECS57 005A  ECS61a 00BB  ECS61c 005E
ECS61d 011C  ECS61e 011D  ECS62 005F  ECS66 0060  ECS68 0061  ECS70 0062  ECS80 0067  ECS81 0068
ECS82 0069  ECS100 0120  ECS101 0121  ECS102 0122  ECS200 0123  FDRA-DLMS 00CE  ALERT-8F84 00D5
FDEI-DLMS 00CC  GCA 1000  GNCA 1001  MIIWA-DLMS 00F0
"""
"""Name and Message Code of every DLMS row of the published use case table."""

TABLE = dict(zip(PUBLISHED.split()[::2], PUBLISHED.split()[1::2], strict=True))

DLMS = {name: row for name, row in USE_CASES.items() if isinstance(row.payload, (DlmsAccess, DlmsAlert))}

GENERIC = re.compile(
    r"(field|item|value|data|param|parameter|element|member|entry|octets|bits|flags|string|number|integer|"
    r"structure|array|list|thing|object|unknown|reserved|spare|other)(_?\d+)?"
)
SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def test_every_published_row_is_declared() -> None:
    assert {name: f"{row.code:04X}" for name, row in DLMS.items()} == TABLE


def access_rows() -> list[tuple[str, DlmsAccess]]:
    return [(name, row.payload) for name, row in DLMS.items() if isinstance(row.payload, DlmsAccess)]


def shapes_of(item: AccessItem) -> Iterator[Shape]:
    for shape in (item.command, item.response, item.selection):
        if shape is not None:
            yield shape
    if item.protected is not None:
        yield Struct({part.name: part.shape for part in item.protected.objects})


def member_names(shape: Shape) -> Iterator[str]:
    """Every name that values of this shape have inside."""
    match shape:
        case Struct():
            for name, inner in shape.members:
                if not isinstance(inner, Const):
                    yield name
                    yield from member_names(inner)
        case OneOf():
            for variant in shape.variants:
                yield from member_names(variant)
        case ListOf() | Compact() | NamedList():
            yield from member_names(shape.element)
            if isinstance(shape, NamedList):
                yield from shape.names
        case Nullable():
            yield from member_names(shape.shape)
        case Packed():
            yield from (name for name, _, _ in shape.fields)
        case Flags():
            yield from (name for name in shape.names if name is not None)


def names_of(row: UseCase) -> list[str]:
    payload = row.payload
    if isinstance(payload, DlmsAccess):
        inner = [n for item in payload.items for shape in shapes_of(item) for n in member_names(shape)]
        return [item.name for item in payload.items] + inner
    assert isinstance(payload, DlmsAlert)
    sealed = payload.sealed.objects if isinstance(payload, SealedAlert) else ()
    own = [payload.name] if isinstance(payload, SealedAlert) else []
    return [
        *own,
        *member_names(payload.body),
        *(name for part in sealed for name in (part.name, *member_names(part.shape))),
    ]


@pytest.mark.parametrize("row", DLMS.values(), ids=DLMS.keys())
def test_names_say_something(row: UseCase) -> None:
    names = names_of(row)
    assert names
    assert [name for name in names if GENERIC.fullmatch(name) or not SNAKE_CASE.fullmatch(name)] == []


@pytest.mark.parametrize(("name", "payload"), access_rows())
def test_names_of_items_are_unique(name: str, payload: DlmsAccess) -> None:
    names = [item.name for item in payload.items]
    names += [item.selection_name for item in payload.items if item.selection is not None]
    assert len(names) == len(set(names)), name


@pytest.mark.parametrize(("name", "payload"), access_rows())
def test_an_optional_item_is_told_from_what_follows_it(name: str, payload: DlmsAccess) -> None:
    """Otherwise an access list could be read in two ways."""
    kinds = [(item.choice, item.class_id, item.obis, item.index) for item in payload.items]
    optional = [kind for kind, item in zip(kinds, payload.items, strict=True) if item.optional]
    assert all(kinds.count(kind) == 1 for kind in optional), name


@pytest.mark.parametrize("row", DLMS.values(), ids=DLMS.keys())
def test_future_dated_rows_have_activations_and_an_alert(row: UseCase) -> None:
    dated = row.future_dateable
    assert bool(row.payload.activations) is dated
    assert row.alerts == ((0x00CC,) if dated else ())
    assert not (dated and not row.critical)


def test_unverified_names_are_marked() -> None:
    marked = {
        (name, item.name)
        for name, payload in access_rows()
        for item in payload.items
        if item.confidence == "unverified"
    }
    assert marked >= {("CCS06", "device_log"), ("ECS35g", "auxiliary_controller_event_log")}
    assert USE_CASES["ALERT-8F84"].confidence == "unverified"


# -- messages written by hand ------------------------------------------------------------------------------

DEVICE, SUPPLIER = Eui64.parse("00DB1234567890A0"), Eui64.parse("90B3D51F30010000")


def header(name: str, cra: Cra = Cra.COMMAND, content: bytes = b"") -> Message:
    parties = (SUPPLIER, DEVICE) if cra is Cra.COMMAND else (DEVICE, SUPPLIER)
    return Message(
        cra=cra,
        originator_counter=0x3E8,
        business_originator_id=parties[0],
        business_target_id=parties[1],
        date_time=None,
        other_information=OtherInformation(message_code=USE_CASES[name].code),
        content=content,
        signature=b"",
        message_mac=None,
    )


COMMANDS: dict[str, tuple[str, Parameters, str]] = {
    "labels of the first and the last slot": (
        "ECS46a",
        {
            "auxiliary_controller_1_description": "Heat",
            "auxiliary_controller_5_description": "EV",
        },
        "02 02 0001 00005E2C000B 02  02 0001 00005E2C000F 02   02 0A04 48656174  0A02 4556",
    ),
    "a calendar and one slot": (
        "ECS46c",
        {
            "auxiliary_controller_4_type_and_identifier": "00DB123456789097",
            "auxiliary_controller_calendar_special_days": [],
            "auxiliary_controller_calendar": [
                {
                    "index": 1,
                    "enable": True,
                    "script_table": "00000A0067FF",
                    "script_selector": {"slot": 4, "action": "activate"},
                    "switch_time": "06:00:00",
                    "validity_window": 0xFFFF,
                    "exec_weekdays": "1111100",
                    "exec_special_days": "",
                    "begin_date": "*-06-21",
                    "end_date": "2030-09-21",
                }
            ],
            "auxiliary_controller_calendar_activation_time": "immediate",
            "auxiliary_controller_calendar_special_days_activation_time": "never",
        },
        "05 02 0001 00005E2C0018 02  02 000B 00010B0003FF 02  02 000A 00010C0002FF 02"
        "   02 2328 00005E2C801A 06  02 2328 00005E2C8023 06"
        "05 0908 00DB123456789097  0100"
        "   01 01 02 0A 12 0001 03 FF 0906 00000A0067FF 12 0401 0904 06000000 12 FFFF 04 07 F8 04 00"
        "      0905 FFFF0615FF 0905 07EE0915FF"
        "   090C 000000000000000000 8000FF  090C FFFFFFFFFFFFFFFFFF 8000FF",
    ),
    "activation of a slot": (
        "ECS47",
        {
            "auxiliary_controller_2_activation_duration": 90,
            "auxiliary_controller_command": {"slot": 2, "action": "activate"},
        },
        "02 02 0001 00005E2C7601 02  03 0009 00000A0067FF 01   02 12 005A  12 0211",
    ),
    "deactivation of a slot": (
        "ECS47",
        {
            "auxiliary_controller_5_deactivation_duration": 1,
            "auxiliary_controller_command": {"slot": 5, "action": "deactivate"},
        },
        "02 02 0001 00005E2C7902 02  03 0009 00000A0067FF 01   02 12 0001  12 0512",
    ),
    "reset of a slot": (
        "ECS47",
        {"auxiliary_controller_command": {"slot": 1, "action": "reset"}},
        "01 03 0009 00000A0067FF 01   01 12 0120",
    ),
    "a level for the input of a slot": (
        "ECS47a",
        {
            "auxiliary_controller_4_setting_period_start_date_time": "2030-01-15T09:00:00Z",
            "auxiliary_controller_4_setting_period_end_date_time": "2030-01-15T10:00:00Z",
            "auxiliary_controller_command": {"direction": "input", "slot": 4, "level": 25},
        },
        "03 02 0001 00005E2C7801 02  02 0001 00005E2C7802 02  03 0009 00000A0067FF 01"
        "03 090C 07EE010FFF09000000 8000FF  090C 07EE010FFF0A000000 8000FF  12 2419",
    ),
    "a limit without a period": (
        "ECS47e",
        {"auxiliary_proportional_controller_command": {"direction": "output", "slot": 2, "level": 0}},
        "01 03 0009 00000A006BFF 01   01 12 1200",
    ),
    "reset of the export maximum": (
        "ECS57",
        {"maximum_demand_active_power_export_reset": True},
        "01 03 0004 0100020600FF 01   01 0F 00",
    ),
    "boost of one slot": (
        "ECS62",
        {"boost_function_control_3": False},
        "01 02 0001 00005E2C0603 02   01 03 00",
    ),
    "alerts on the WAN": (
        "ECS25b",
        {"mask_and_actions_for_wan_alerting": {"mask": ["8000", "80FF"], "actions": ["80FF"]}},
        f"01 02 0001 0021 61620BFF 02   01 04 820200 80{'00' * 30}01 80{'00' * 31}",
    ),
    "two power thresholds": (
        "ECS34",
        {"power_thresholds": {"low_medium_power_threshold": 1, "medium_high_power_threshold": 2}},
        "01 02 0015 0000100000FF 02   01 01 02 06 00000001 06 00000002",
    ),
    "a device for the log": (
        "CCS01",
        {
            "entry_to_be_added": {
                "entity_identifier": "00DB1234567890A1",
                "credentials_type": "install code",
                "installation_credentials": "001122334455",
                "device_type": 0,
            },
            "joining_time_period": 3600,
            "allows_devices_on_to_the_han": True,
        },
        "03 03 0068 00001E0300FF 01  02 0068 00001E0300FF 03  02 0068 00001E0300FF 02"
        "03 02 04 0908 00DB1234567890A1 16 01 0906 001122334455 16 00  12 0E10  03 FF",
    ),
}


@pytest.mark.parametrize(("name", "parameters", "written"), COMMANDS.values(), ids=COMMANDS.keys())
def test_a_command_is_as_written_by_hand(name: str, parameters: Parameters, written: str) -> None:
    content = bytes.fromhex(f"D9 200003E8 00 {written}")
    assert encode_content(USE_CASES[name], header(name), parameters).hex() == content.hex()
    assert decode_content(USE_CASES[name], header(name, content=content)) == parameters


RESPONSES: dict[str, tuple[str, Parameters, str]] = {
    "of a command with optional items": (
        "ECS57",
        {
            "results": [
                {"choice": "action", "result": "success"},
                {"choice": "action", "result": "hardware-fault"},
            ]
        },
        "02 00 00  02 0300 0301",
    ),
    "of the device logs of a hub": (
        "CCS07",
        {
            "device_log": {
                "read_date_time": "2015-01-01T00:00:00Z",
                "han_identifier": "0000000000000140",
                "devices": [{"device_identifier": "00DB1234567890A0", "security_details": ""}],
            },
            "historic_device_log": None,
        },
        "02 02 03 090C 07DF0101FF000000008000FF 0908 0000000000000140 01 01 02 02 0908 00DB1234567890A0 0900"
        "   00  02 0300 0300",
    ),
    "of the credits of a meter": (
        "ECS20d",
        {"prepayment_credits": [{"timestamp": "2015-01-01T00:00:00Z", "amount": 5000}]},
        "01 13 02 02 06 06 08 1C374A80 00001388  01 0100",
    ),
    "of a billing calendar": (
        "ECS26l",
        {"billing_calendar": [{"time": "12:00:00", "date": "hex:FFFFFF1CFF"}]},
        "01 01 01 02 02 0904 0C000000 0905 FFFFFF1CFF  01 0100",
    ),
}


@pytest.mark.parametrize(("name", "parameters", "written"), RESPONSES.values(), ids=RESPONSES.keys())
def test_a_response_is_as_written_by_hand(name: str, parameters: Parameters, written: str) -> None:
    content = bytes.fromhex(f"DA 200003E8 00 00 {written}")
    message = header(name, Cra.RESPONSE, content)
    assert encode_content(USE_CASES[name], message, parameters).hex() == content.hex()
    assert decode_content(USE_CASES[name], message) == parameters


def test_an_access_list_in_another_order_is_refused_at_the_item_that_differs() -> None:
    parameters: Parameters = {"supplier_telephone_number": "0", "supplier_name": "x"}
    content = encode_content(USE_CASES["ECS16"], header("ECS16"), parameters)
    first, second = bytes.fromhex("0223280000600D00FF02"), bytes.fromhex("0223280000600D01FF02")
    swapped = content.replace(first + second, second + first)
    assert swapped != content
    with pytest.raises(GbcsDecodeError, match=r"access list\[0\].*supplier_telephone_number"):
        decode_content(USE_CASES["ECS16"], header("ECS16", content=swapped))


@pytest.mark.parametrize("missing", ["account_mode_and_status", "account_activation_time"])
def test_a_command_without_one_of_its_parameters_is_refused(missing: str) -> None:
    parameters: Parameters = {
        "account_mode_and_status": {"payment_mode": "credit", "account_status": "new"},
        "credit_charge_configuration": [],
        "account_activation_time": "immediate",
    }
    del parameters[missing]
    with pytest.raises(GbcsEncodeError, match=missing):
        encode_content(USE_CASES["ECS02"], header("ECS02"), parameters)


# -- the sealed alert --------------------------------------------------------------------------------------

SECRET, OTHER_SECRET = bytes(range(32)), bytes(range(1, 33))


def billing_entry(*, twin: bool) -> dict[str, object]:
    registers = {
        "timestamp": "2015-01-01T00:00:00Z",
        "active_import_register": 1,
        "tariff_tou_register_matrix": [2] * 48,
        **{f"tariff_block_{block}_tou_registers": [block] * 8 for block in range(1, 5)},
    }
    if twin:
        registers |= {"secondary_active_import_register": 3, "secondary_tariff_tou_registers": [4] * 4}
    return registers


def billing_alert(*, twin: bool = False) -> Parameters:
    log = [billing_entry(twin=twin)]
    return {
        "alert_code": "8F0A",
        "time_stamp": "2015-01-01T00:00:00Z",
        "billing_data_log": {"billing_calendar_triggered_billing_data_log": log},  # type: ignore[dict-item]
    }


def sealed(parameters: Parameters) -> Message:
    content = encode_content(USE_CASES["ECS68"], header("ECS68", Cra.ALERT), parameters, SECRET)
    return header("ECS68", Cra.ALERT, content)


@pytest.mark.parametrize("twin", [False, True])
def test_a_sealed_alert_opens_with_its_secret_only(twin: bool) -> None:
    message = sealed(billing_alert(twin=twin))
    assert decode_content(USE_CASES["ECS68"], message, SECRET) == billing_alert(twin=twin)
    with pytest.raises(SecurityError):
        decode_content(USE_CASES["ECS68"], message, OTHER_SECRET)


def test_a_sealed_alert_stays_sealed_without_a_key() -> None:
    message = sealed(billing_alert())
    closed = decode_content(USE_CASES["ECS68"], message)
    assert list(closed) == ["alert_code", "time_stamp", "billing_data_log"]
    assert sealed(closed).content == message.content
    with pytest.raises(GbcsEncodeError, match="shared secret"):
        encode_content(USE_CASES["ECS68"], message, billing_alert())


@pytest.mark.parametrize(
    "body",
    [null(), structure(null(), null(), null()), structure(*(null(),) * 5)],
    ids=["no structure", "a member too few", "a member too many"],
)
def test_an_alert_of_another_shape_is_refused(body: Data) -> None:
    message = header("ECS68", Cra.ALERT, DataNotification(0x200003E8, body).encode())
    with pytest.raises(GbcsDecodeError, match="structure of 4"):
        decode_content(USE_CASES["ECS68"], message)


def test_an_alert_whose_protection_parameters_are_of_another_message_is_refused() -> None:
    message = sealed(billing_alert())
    foreign = message.content.replace(SUPPLIER.raw, DEVICE.raw)
    with pytest.raises(GbcsDecodeError, match="protection parameters"):
        decode_content(USE_CASES["ECS68"], header("ECS68", Cra.ALERT, foreign), SECRET)


def test_a_hash_of_another_length_is_refused() -> None:
    parameters: Parameters = {"alert_code": "8F72", "time_stamp": "never", "manufacturer_image_hash": "00"}
    with pytest.raises(GbcsEncodeError, match="32 octets"):
        encode_content(USE_CASES["FDRA-DLMS"], header("FDRA-DLMS", Cra.ALERT), parameters)
