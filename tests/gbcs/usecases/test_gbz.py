"""GBZ use cases: which exchange a component belongs to, what is refused and where, activations, alerts."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest

from smetslab.errors import GbcsDecodeError, GbcsEncodeError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.gbz.components import COMPONENTS
from smetslab.gbcs.message import Message, OtherInformation, content_offset
from smetslab.gbcs.usecases import USE_CASES, activation_of, decode_content, encode_content, find
from smetslab.gbcs.usecases.gas_configuration import DeviceManagement
from smetslab.gbcs.usecases.gbz import GbzAccess, ask, publish, read
from smetslab.ids import Eui64
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.clusters.prepayment import Prepayment
from smetslab.zigbee.zcl.clusters.price import Price

TIME = "2015-01-01T00:00:00Z"


def message(name: str, cra: Cra = Cra.COMMAND, content: bytes = b"") -> Message:
    return Message(
        cra=cra,
        originator_counter=1000,
        business_originator_id=Eui64(bytes.fromhex("00DB1234567890A1")),
        business_target_id=Eui64(bytes.fromhex("90B3D51F30010000")),
        other_information=OtherInformation(message_code=USE_CASES[name].code),
        content=content,
    )


def encode(name: str, components: list[Any], cra: Cra = Cra.COMMAND) -> bytes:
    return encode_content(USE_CASES[name], message(name, cra), {COMPONENTS: components})


def decode(name: str, content: bytes | str, cra: Cra = Cra.COMMAND) -> list[Any]:
    octets = bytes.fromhex(content) if isinstance(content, str) else content
    listed = decode_content(USE_CASES[name], message(name, cra, octets))[COMPONENTS]
    assert isinstance(listed, list)
    return listed


def refused(name: str, content: bytes | str, cra: Cra = Cra.COMMAND) -> GbcsDecodeError:
    with pytest.raises(GbcsDecodeError) as caught:
        decode(name, content, cra)
    return caught.value


def default(cluster: str, of: str, status: str = "success") -> dict[str, str]:
    return {"cluster": cluster, "command": "default_response", "of": of, "status": status}


def stopped(cluster: str) -> dict[str, str]:
    return default(cluster, "not_executed", "failure")


def day(number: int) -> dict[str, Any]:
    return {
        "cluster": "calendar",
        "command": "publish_day_profile",
        "provider_id": 0,
        "issuer_event_id": TIME,
        "issuer_calendar_id": 473385600,
        "day_id": number,
        "number_of_schedule_entries": 1,
        "command_index": 0,
        "number_of_commands": 1,
        "calendar_type": "delivered",
        "schedule_entries": [{"start_time": 0, "price_tier": number}],
    }


# A read ----------------------------------------------------------------------------------------------------

READ = bytes.fromhex("0109 01 01 0702 000B 000000 0203010300030000")


def test_a_read_as_it_is_published() -> None:
    """Spec: GBCS 7.2.9, worked example GCS13a."""
    components = [
        {
            "cluster": "metering",
            "command": "read_attributes",
            "attributes": ["divisor", "multiplier", "unit_of_measure", "current_summation_delivered"],
        }
    ]
    assert decode("GCS13a", READ) == components
    assert encode("GCS13a", components) == READ


METERING = "read_attributes of cluster metering"
SUMMATION = "current_summation_delivered"


def attributes(octets: str) -> str:
    """A GCS13a command that reads these."""
    return f"0109 01 01 0702 {3 + len(octets) // 2:04X} 000000 {octets}"


@pytest.mark.parametrize(
    ("content", "offset", "path", "expected", "found"),
    [
        (
            attributes("0203010301000000"),
            15,
            "component[0].attributes[2]",
            "unit_of_measure",
            "unknown_0x0001",
        ),
        (attributes("020301030003"), 17, "component[0].attributes[3]", SUMMATION, "the end"),
        (attributes("02030103000300001400"), 19, "component[0].attributes[4]", "the end", "supply_status"),
        (
            "0109 01 01 0705 0005 000000 0000",
            3,
            "component[0]",
            METERING,
            METERING.replace("metering", "prepayment"),
        ),
        (
            "0109 01 01 0702 0004 01000D 00",
            3,
            "component[0]",
            METERING,
            "set_supply_status of cluster metering",
        ),
        ("0109 01 01 0702 0004 01007E 00", 3, "component[0]", METERING, "unknown_0x7E of cluster metering"),
        ("0109 00", 3, "component[0]", METERING, "the end"),
        (
            "0109 02 00 0702 000B 000000 0203010300030000 01 0702 0003 000100",
            *(19, "component[1]", "the end", METERING),
        ),
        (
            "0109 01 11 0702 000F 00000000 000000 0203010300030000",
            *(3, "component[0].read_attributes.control", "bit 4 clear", ""),
        ),
    ],
)
def test_the_first_difference_is_named(
    content: str, offset: int, path: str, expected: str, found: str
) -> None:
    error = refused("GCS13a", content)
    place = content_offset(message("GCS13a", content=bytes.fromhex(content))) + offset
    assert (error.offset, error.path, error.expected, error.found) == (place, path, expected, found)


def test_errors_inside_a_component_name_the_field() -> None:
    error = refused("GCS60", "0109 02 00 0702 0005 000000 000A 01 0705 0004 000100 01")
    assert error.path == "component[1]"
    assert error.what == "truncated"
    error = refused("GCS40a", "0109 01 01 0705 000A 010005 804A371C000000")
    assert error.path == "component[0].credit_adjustment.start_time"
    assert error.offset == content_offset(message("GCS40a", content=b"x" * 20)) + 15
    error = refused("GCS40a", "0109 01 01 0705 0011 010005 804A371C00000000005A5A0000FF")
    assert (error.what, error.path) == ("trailing bytes", "component[0].credit_adjustment")
    assert error.offset == content_offset(message("GCS40a", content=b"x" * 20)) + 24


def test_a_read_with_failures_says_which() -> None:
    attributes = {"bill_to_date_delivered": {"status": "hardware_failure"}}
    components = [
        {"cluster": "metering", "command": "read_attributes_response", "attributes": attributes},
        stopped("prepayment"),
    ]
    content = encode("GCS60", components, Cra.RESPONSE)
    assert content == bytes.fromhex("0109 02 00 0702 0006 080001 000AC0 01 0705 0005 08010B FF01")
    assert decode("GCS60", content, Cra.RESPONSE) == components


def test_results_of_a_read_come_in_the_order_asked() -> None:
    error = refused(
        "GCS21m", "0109 02 00 0000 0009 080001 0500C0 0400C0 01 0702 0005 08010B FF01", Cra.RESPONSE
    )
    assert (error.path, error.expected) == ("component[0].attributes[0]", "manufacturer_name")
    error = refused("GCS21m", "0109 02 00 0000 0006 080001 0400C0 01 0702 0005 08010B FF01", Cra.RESPONSE)
    assert (error.path, error.expected) == ("component[0].attributes[1]", "model_identifier")
    assert error.offset == content_offset(message("GCS21m", content=b"x" * 20)) + 14


# As many components as needed ------------------------------------------------------------------------------


def calendar(days: int) -> list[Any]:
    common = {"cluster": "calendar", "provider_id": 0, "issuer_event_id": TIME, "issuer_calendar_id": 1}
    return [
        {
            **common,
            "command": "publish_calendar",
            "start_time": "immediate",
            "calendar_type": "delivered",
            "calendar_time_reference": "utc",
            "calendar_name": "",
            "number_of_seasons": 1,
            "number_of_week_profiles": 1,
            "number_of_day_profiles": days,
        },
        *(day(number) for number in range(1, days + 1)),
        {**common, "command": "publish_week_profile", "week_id": 1}
        | {f"day_id_ref_{name}day": 1 for name in ("mon", "tues", "wednes", "thurs", "fri", "satur", "sun")},
        {
            **common,
            "command": "publish_seasons",
            "command_index": 0,
            "number_of_commands": 1,
            "season_entries": [{"season_start_date": "*-03-29", "season_week_id_ref": 1}],
        },
        {
            **common,
            "command": "publish_special_days",
            "start_time": "immediate",
            "calendar_type": "delivered",
            "number_of_special_days": 0,
            "command_index": 0,
            "number_of_commands": 1,
            "special_day_entries": [],
        },
    ]


PRICES = [
    {
        "cluster": "price",
        "command": "publish_tariff_information",
        "provider_id": 0,
        "issuer_event_id": TIME,
        "issuer_tariff_id": 1,
        "start_time": "immediate",
        "tariff_type_charging_scheme": {"tariff_type": "delivered", "charging_scheme": "tou"},
        "tariff_label": "",
        "number_of_price_tiers_in_use": 4,
        "number_of_block_thresholds_in_use": 0,
        "unit_of_measure": "kWh",
        "currency": "GBP",
        "price_trailing_digit": {"trailing_digit": 5},
        "standing_charge": 22465,
        "tier_block_mode": "not_used",
        "block_threshold_multiplier": 1,
        "block_threshold_divisor": 1000,
    },
    {
        "cluster": "price",
        "command": "publish_price_matrix",
        "provider_id": 0,
        "issuer_event_id": TIME,
        "start_time": "immediate",
        "issuer_tariff_id": 1,
        "command_index": 0,
        "number_of_commands": 1,
        "sub_payload_control": "tou",
        "price_entries": [{"tier_block_id": 1, "price": 9600}],
    },
]


def tariff(days: int) -> list[Any]:
    return [*calendar(days), *copy.deepcopy(PRICES)]


@pytest.mark.parametrize("days", [1, 4, 16])
def test_a_tariff_has_as_many_day_profiles_as_it_needs(days: int) -> None:
    components = tariff(days)
    content = encode("GCS01a", components)
    assert decode("GCS01a", content) == components
    assert content[2] == days + 6


DAY, WEEK = "publish_day_profile of cluster calendar", "publish_week_profile of cluster calendar"
DAYS = "publish_special_days of cluster calendar"
INFORMATION = "publish_tariff_information of cluster price"
MATRIX = "publish_price_matrix of cluster price"


@pytest.mark.parametrize(
    ("damage", "place", "expected"),
    [
        (lambda items: items.pop(0), 0, "publish_calendar of cluster calendar"),
        (lambda items: items.pop(2), 2, f"{DAY} or {WEEK}"),
        (lambda items: items.insert(1, items.pop(2)), 1, DAY),
        (lambda items: items.pop(-2), 5, f"{DAYS} or {INFORMATION}"),
        (lambda items: items.pop(), 6, MATRIX),
        (lambda items: items.append(items[0]), 7, f"{MATRIX} or the end"),
    ],
)
def test_a_tariff_in_disorder_is_refused_both_ways(damage: Any, place: int, expected: str) -> None:
    components = tariff(1)
    damage(components)
    with pytest.raises(GbcsEncodeError) as caught:
        encode("GCS01a", components)
    assert (caught.value.path, caught.value.expected) == (f"components[{place}]", expected)


def test_every_command_is_answered() -> None:
    names = ["publish_calendar", "publish_day_profile", "publish_day_profile", "publish_week_profile"]
    names += ["publish_seasons", "publish_special_days"]
    answers = [default("calendar", name) for name in names]
    answers += [default("price", item["command"]) for item in PRICES]
    content = encode("GCS01a", answers, Cra.RESPONSE)
    assert decode("GCS01a", content, Cra.RESPONSE) == answers
    error = refused("GCS01a", encode("GCS01b", answers[-2:], Cra.RESPONSE), Cra.RESPONSE)
    assert error.expected == "the answer to publish_calendar of cluster calendar"
    with pytest.raises(GbcsEncodeError, match="the answer to publish_price_matrix of cluster price"):
        encode("GCS01a", answers[:-1], Cra.RESPONSE)
    with pytest.raises(GbcsEncodeError, match=r"components\[1\]: not the components"):
        encode("GCS01a", [answers[0], answers[2], answers[0], *answers[3:]][:1] + answers[3:], Cra.RESPONSE)


@pytest.mark.parametrize("failing", range(8))
def test_a_failure_stops_what_follows(failing: int) -> None:
    """After it every component says that it was not executed, however many of a kind there were."""
    commands = [(item["cluster"], item["command"]) for item in tariff(2)]
    answers: list[Any] = [default(*command) for command in commands[:failing]]
    answers.append(default(*commands[failing], "hardware_failure"))
    answers += [stopped(cluster) for cluster, _ in commands[failing + 1 :]]
    content = encode("GCS01a", answers, Cra.RESPONSE)
    assert decode("GCS01a", content, Cra.RESPONSE) == answers


def test_one_request_may_take_several_answers() -> None:
    """They repeat its sequence number. Spec: GBCS 7.2.9 (GCS21f)."""
    payload = GbzAccess(
        (
            ask(Metering.get_snapshot, Metering.publish_snapshot),
            ask(Prepayment.get_top_up_log, Prepayment.publish_top_up_log, several=True),
            read(Price.currency),
        )
    )
    log = {
        "cluster": "prepayment",
        "command": "publish_top_up_log",
        "command_index": 0,
        "number_of_commands": 2,
        "top_up_entries": [],
    }
    components = [
        default("metering", "get_snapshot", "not_found"),
        log,
        {**log, "command_index": 1},
        {"cluster": "price", "command": "read_attributes_response", "attributes": {"currency": "GBP"}},
    ]
    header = message("GCS60", Cra.RESPONSE)
    content = payload.encode(header, {COMPONENTS: components}, None)
    numbers = [content[9 + at] for at in (0, 10, 20, 30)]
    assert numbers == [0, 1, 1, 2]
    assert payload.decode(replace(header, content=content), None) == {COMPONENTS: components}
    once = GbzAccess(payload.exchanges[:1])
    with pytest.raises(GbcsEncodeError, match="the end"):
        once.encode(header, {COMPONENTS: components[:1] * 2}, None)


def test_what_differs_from_the_plan_is_told() -> None:
    content = bytearray(encode("GCS60", [
        {"cluster": "metering", "command": "read_attributes", "attributes": ["bill_to_date_delivered"]},
        {"cluster": "prepayment", "command": "read_attributes", "attributes": ["credit_remaining"]},
    ]))  # fmt: skip
    content[8], content[9] = 0x18, 0x07
    first, second = decode("GCS60", bytes(content))
    assert first["header"] == {
        "sequence": 7,
        "server_to_client": True,
        "disable_default_response": True,
    }
    assert "header" not in second
    assert encode("GCS60", [first, second]) == content


def test_default_responses_go_back_the_way_the_command_came() -> None:
    """Spec: GBCS 7.2.9; the vectors of GCS20r answer the one request of a server as if it were a client's."""
    to_client = encode("GCS40a", [default("prepayment", "credit_adjustment")], Cra.RESPONSE)
    to_server = encode("GCS07", [default("messaging", "display_message")], Cra.RESPONSE)
    odd = encode("GCS20r", [default("device_management", "get_event_configuration")], Cra.RESPONSE)
    assert (to_client[8], to_server[8], odd[8]) == (0x08, 0x00, 0x08)
    assert DeviceManagement.get_event_configuration.direction == 1


# Dates ------------------------------------------------------------------------------------------------------


def test_all_activations_of_a_command_are_one() -> None:
    components = tariff(1)
    use_case = USE_CASES["GCS01a"]
    assert use_case.payload.activations == ("components[].start_time",)
    assert activation_of(use_case, {COMPONENTS: components}) == "immediate"
    components[-1]["start_time"] = "never"
    with pytest.raises(GbcsDecodeError, match="activation times differ"):
        activation_of(use_case, {COMPONENTS: components})
    assert activation_of(USE_CASES["GCS40a"], {COMPONENTS: []}) is None


@pytest.mark.parametrize(
    ("text", "seconds", "others"),
    [
        ("immediate", "00000000", "00000000"),
        ("never", "FFFFFFFE", "FFFFFFFF"),
        ("2030-01-15T09:00:00Z", "38818890", "38818890"),
    ],
)
def test_cancel_values_differ_by_command(text: str, seconds: str, others: str) -> None:
    """Spec: GBCS 9.2: FFFFFFFE in calendars, special days, thresholds and price matrix, else FFFFFFFF."""
    components = tariff(1)
    for item in components:
        if "start_time" in item:
            item["start_time"] = text
    content = encode("GCS01a", components)
    assert decode("GCS01a", content) == components
    little = bytes.fromhex(seconds)[::-1], bytes.fromhex(others)[::-1]
    for item, wanted in ((components[-1], little[0]), (components[-2], little[1])):
        (alone,) = [part for part in components if part is item]
        code = {"publish_price_matrix": "GCS01b", "publish_tariff_information": "GCS01b"}[alone["command"]]
        both = encode(code, components[-2:])
        assert wanted in both


def test_a_date_in_the_component_header() -> None:
    level = {
        "cluster": "prepayment",
        "command": "set_low_credit_warning_level",
        "low_credit_warning_level": 5,
    }
    use_case = USE_CASES["GCS05"]
    assert "components[].from_date_time" in use_case.payload.activations
    payload = GbzAccess((use_case.payload.exchanges[2],))
    for text, octets in (("immediate", "00000000"), ("never", "FFFFFFFF"), (TIME, "1C374A80")):
        given = {COMPONENTS: [{**level, "from_date_time": text}]}
        content = payload.encode(message("GCS05"), given, None)
        assert content == bytes.fromhex(f"0109 01 11 0705 000B {octets} 010009 05000000")
        assert payload.decode(message("GCS05", content=content), None) == given
    with pytest.raises(GbcsEncodeError, match=r"from_date_time: missing"):
        payload.encode(message("GCS05"), {COMPONENTS: [level]}, None)
    with pytest.raises(GbcsDecodeError, match="from date-time missing"):
        payload.decode(message("GCS05", content=bytes.fromhex("0109 01 01 0705 0007 010009 05000000")), None)


# Whole payloads ---------------------------------------------------------------------------------------------


def test_parameters_are_components_and_nothing_else() -> None:
    use_case = USE_CASES["GCS60"]
    for parameters in ({}, {COMPONENTS: [], "more": 1}):
        with pytest.raises(GbcsEncodeError):
            encode_content(use_case, message("GCS60"), parameters)
    for call in (
        lambda: use_case.payload.decode(message("GCS60", Cra.ALERT, READ), None),
        lambda: use_case.payload.encode(message("GCS60", Cra.ALERT), {COMPONENTS: []}, None),
    ):
        with pytest.raises((GbcsDecodeError, GbcsEncodeError), match="no such message"):
            call()
    assert publish(Price.publish_price).most == 1


def alert(name: str, content: str) -> Any:
    octets = bytes.fromhex(content)
    given = message(name, Cra.ALERT, octets)
    assert find(given) is USE_CASES[name]
    parameters = decode_content(USE_CASES[name], given)
    again = json.loads(json.dumps(parameters))
    assert encode_content(USE_CASES[name], given, again) == octets
    return parameters


def test_alerts_in_words() -> None:
    assert alert("GCA-ZigBee", "0109 00 8F30 1C374A80") == {"alert_code": "8F30", "time_stamp": TIME}
    assert alert("MIIWA-ZigBee", "0109 01 81A0 1C374A80 0005")["warning"] == "Error Unexpected Hardware Reset"
    assert alert("MIIWA-ZigBee", "0109 01 81A0 1C374A80 0105")["warning"] == 0x0105
    assert (
        alert("FDRA-ZigBee", "0109 01 8F72 1C374A80 0920" + "A1" * 32)["manufacturer_image_hash"] == "A1" * 32
    )


@pytest.mark.parametrize(
    ("octets", "instruction"),
    [
        ("0705 01 06", {"cluster": "prepayment", "command": "change_payment_mode"}),
        ("0700 09 05", {"cluster": "price", "command": "publish_price_matrix"}),
        ("0707 01 04", {"cluster": "calendar", "command": "publish_special_days", "frame_control": 1}),
        ("0705 01 09", {"cluster": "prepayment", "command": "set_low_credit_warning_level"}),
        ("0705 09 09", {"cluster": "prepayment", "command": "unknown_0x09", "frame_control": 9}),
        ("FC00 01 09", {"cluster": "unknown_0xFC00", "command": "unknown_0x09"}),
    ],
)
def test_an_executed_instruction_in_words(octets: str, instruction: Any) -> None:
    found = alert("FDEI-GBZ", f"0109 01 8F66 38818890 0E 006C 00000000000003E9 {octets}")["instruction"]
    assert found == {"message_code": "0x006C", "originator_counter": 1001, **instruction}


@pytest.mark.parametrize(
    ("name", "content", "offset"),
    [
        ("GCA-ZigBee", "0109 01 8F30 1C374A80 00", 9),
        ("MIIWA-ZigBee", "0109 01 81A0 1C374A80 00", 10),
        ("MIIWA-ZigBee", "0109 01 81A0 1C374A80 000500", 11),
        ("FDRA-ZigBee", "0109 01 8F72 1C374A80 0921", 9),
        ("FDRA-ZigBee", "0109 01 8F72 1C374A80 0920", 11),
        ("FDEI-GBZ", "0109 01 8F66 1C374A80 0F", 9),
        ("FDEI-GBZ", "0109 01 8F66 1C374A80 0E00", 11),
        ("GCS53", "0109 01 8F0A 1C374A80 03 0702 0005 00 00 010006", 9),
    ],
)
def test_alerts_out_of_shape(name: str, content: str, offset: int) -> None:
    given = message(name, Cra.ALERT, bytes.fromhex(content))
    with pytest.raises(GbcsDecodeError) as caught:
        decode_content(USE_CASES[name], given)
    assert caught.value.offset is not None
    assert caught.value.offset >= content_offset(given) + offset


@pytest.mark.parametrize(
    ("name", "change", "path"),
    [
        ("GCA-ZigBee", {"more": 1}, "more"),
        ("GCA-ZigBee", {"alert_code": "8F"}, "alert_code"),
        ("GCA-ZigBee", {"time_stamp": "now"}, "time_stamp"),
        ("MIIWA-ZigBee", {}, "warning"),
        ("MIIWA-ZigBee", {"warning": "Bad"}, "warning"),
        ("FDRA-ZigBee", {"manufacturer_image_hash": "00"}, "manufacturer_image_hash"),
        ("FDEI-GBZ", {"instruction": 1}, "instruction"),
        ("FDEI-GBZ", {"instruction": {"message_code": "0x006C"}}, "instruction.originator_counter"),
        ("GCS53", {"billing_data_log": {}}, "billing_data_log[0]"),
    ],
)
def test_alerts_that_cannot_be_written(name: str, change: Any, path: str) -> None:
    parameters = {"alert_code": "8F30", "time_stamp": TIME, **change}
    with pytest.raises(GbcsEncodeError) as caught:
        encode_content(USE_CASES[name], message(name, Cra.ALERT), parameters)
    assert caught.value.path == path


def test_the_kind_of_content_tells_generic_alerts_apart() -> None:
    gbz = message("GNCA-ZigBee", Cra.ALERT, bytes.fromhex("0109 00 810E 1C374A80"))
    dlms = replace(gbz, content=bytes.fromhex("0F2000000100"))
    assert find(gbz) is USE_CASES["GNCA-ZigBee"]
    assert find(dlms) is USE_CASES["GNCA"]
    assert find(replace(gbz, content=b"\x30\x00")) is None


@pytest.mark.parametrize("name", ["PECS01", "PECS02", "PECS03", "HECS01"])
def test_commands_that_stay_on_the_han_have_a_code_and_no_message(name: str) -> None:
    use_case = USE_CASES[name]
    assert use_case.confidence == "unverified"
    assert not use_case.payload.recognises(READ)
    with pytest.raises(GbcsDecodeError, match="without GBCS messages"):
        decode_content(use_case, message(name, content=READ))
    with pytest.raises(GbcsEncodeError, match="without GBCS messages"):
        encode_content(use_case, message(name), {})
