"""Damaged messages: the explanation leads to the fault, in words, with keys and without."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from smetslab.gbcs.codes import Cra
from smetslab.gbcs.gbt import BlockTransfer
from smetslab.gbcs.message import MAX_MESSAGE_BYTES, OtherInformation, content_offset, encode_message
from smetslab.gbcs.triage import Check, Explanation, Outcome, explain
from smetslab.gbcs.triage.values import value_findings
from smetslab.gbcs.usecases import USE_CASES
from smetslab.ids import Eui64
from smetslab.pki.lookup import RingLookup

samples = sys.modules["smetslab_triage_samples"]  # made by conftest.py
MESSAGES, octets, bare, signed, maced = (
    samples.MESSAGES,
    samples.octets,
    samples.bare,
    samples.signed,
    samples.maced,
)


@pytest.fixture
def keys() -> RingLookup:
    lookup: RingLookup = samples.KEYS
    return lookup


def failures(explanation: Explanation) -> dict[Check, str]:
    return {one.check: one.text for one in explanation.failures}


def texts(explanation: Explanation) -> str:
    return "\n".join(one.text for one in explanation.failures)


def put(data: bytes, place: int, value: bytes) -> bytes:
    return data[:place] + value + data[place + len(value) :]


# Sound messages ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MESSAGES)
def test_nothing_is_wrong_with_a_sound_message(name: str, keys: RingLookup) -> None:
    explanation = explain(octets(name), keys)
    assert explanation.failures == ()
    assert explanation.first_wrong is None
    assert explanation.verdict == "Everything is right."
    assert {one.outcome for one in explanation.findings} == {Outcome.PASS}


@pytest.mark.parametrize("name", MESSAGES)
def test_without_keys_nothing_is_wrong_but_not_all_can_be_checked(name: str) -> None:
    explanation = explain(octets(name))
    unknown = {one.check for one in explanation.findings if one.outcome is Outcome.UNKNOWN}
    assert explanation.failures == ()
    assert (Check.MAC in unknown) is (MESSAGES[name].message_mac is not None)
    assert (Check.SIGNATURE in unknown) is bool(MESSAGES[name].signature)


def test_who_and_what_is_said_in_plain_words(keys: RingLookup) -> None:
    explanation = explain(octets("registers"), keys)
    assert explanation.title == "ECS17b response"
    assert explanation.summary[:2] == (
        f"A response of ECS17b, {USE_CASES['ECS17b'].title}, {len(octets('registers'))} octets.",
        "From 00DB1234567890A0 (test ESME) to 90B3D51F30010000 (test supplier), originator counter 1000.",
    )
    assert "import_registers.import_register_collection.active: 10" in explanation.statements


def test_alert_is_told_by_its_name(keys: RingLookup) -> None:
    summary = explain(octets("alert"), keys).summary
    assert "The alert is 8F30 Source Does not have Authority for Command." in summary


def test_supplementary_party_is_named() -> None:
    other = OtherInformation(
        message_code=USE_CASES["ECS52"].code,
        supplementary_remote_party_id=samples.SUPPLIER,
        supplementary_remote_party_counter=7,
    )
    message = replace(
        bare("ECS52", Cra.COMMAND, {}), business_originator_id=samples.BROKER, other_information=other
    )
    explanation = explain(encode_message(maced(message)), RingLookup(samples.RING))
    assert explanation.failures == ()
    assert "On behalf of 90B3D51F30010000 (test supplier), whose counter is 7." in explanation.summary


# Damage that a key proves -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["read", "registers", "clock", "firmware", "gas read"])
def test_any_changed_octet_of_a_maced_message_is_found(name: str, keys: RingLookup) -> None:
    data = octets(name)
    start = data.index(b"\xdf\x09")
    for place in range(start, len(data), 7):
        damaged = put(data, place, bytes((data[place] ^ 0x24,)))
        first = explain(damaged, keys).first_wrong
        assert first is not None
        assert (first.offset, first.decisive) == (place, True), place


@pytest.mark.parametrize("place", [2, 9, 15, 24, 40, 56, 70, 100])
def test_a_changed_octet_of_a_signed_message_is_found(place: int, keys: RingLookup) -> None:
    data = octets("alert")
    first = explain(put(data, place, bytes((data[place] ^ 0x10,))), keys).first_wrong
    assert first is not None
    assert first.offset == place


def test_the_field_of_a_changed_octet_is_named(keys: RingLookup) -> None:
    data = octets("registers")
    place = data.index(b"\x31\x00\x00\x00\x00") + 9
    first = explain(put(data, place, bytes((data[place] ^ 1,))), keys).first_wrong
    assert first is not None
    assert first.field == "content > data list > import_registers > protected > ciphertext"


def test_lost_and_added_octets_are_found(keys: RingLookup) -> None:
    data = octets("clock")
    place = data.index(bytes.fromhex("090C07EE"))
    lost = explain(data[:place] + data[place + 1 :], keys).first_wrong
    assert lost is not None
    assert (lost.offset, "missing" in lost.text) == (place, True)
    added = explain(put(data, place, b"\x77" + data[place:])[: len(data) + 1], keys).first_wrong
    assert added is not None
    assert (added.offset, "too many" in added.text) == (place, True)


def test_neighbours_that_changed_places_are_found(keys: RingLookup) -> None:
    data = octets("gas read")
    place = data.index(b"\x07\x02")
    first = explain(put(data, place, b"\x02\x07"), keys).first_wrong
    assert first is not None
    assert "stand the other way round: 02 07, should be 07 02" in first.text
    assert first.offset == place


def test_wrong_id_is_traced_to_the_party_that_nearly_has_it(keys: RingLookup) -> None:
    data = octets("registers")
    place = data.index(samples.SUPPLIER.raw) + 3
    first = explain(put(data, place, b"\x1e"), keys).first_wrong
    assert first is not None
    assert (first.offset, first.expected, first.field) == (
        place,
        "1F",
        "grouping header > business target id",
    )


# Usual mistakes of whoever protects -------------------------------------------------------------------------


def test_mac_over_the_wrong_octets_is_told(keys: RingLookup) -> None:
    message = MESSAGES["read"]
    key = samples.secret(samples.ESME, samples.SUPPLIER)
    own = replace(message, message_mac=samples.with_mac(message, key).message_mac)
    said = failures(explain(encode_message(own), keys))[Check.MAC]
    assert "made with the keys of 90B3D51F30010000 (test supplier)" in said


def test_signature_with_r_and_s_turned_round_is_told(keys: RingLookup) -> None:
    signature = MESSAGES["alert"].signature
    turned = replace(MESSAGES["alert"], signature=signature[32:] + signature[:32])
    assert "r and s stand the other way round" in texts(explain(encode_message(turned), keys))


def test_signature_of_somebody_else_is_told(keys: RingLookup) -> None:
    forged = replace(
        signed(replace(MESSAGES["alert"], signature=None)),
        signature=samples.with_signature(
            MESSAGES["alert"], samples.RING.private_key(samples.GSME, samples.KeyUsage.DIGITAL_SIGNATURE)
        ).signature,
    )
    assert "it is that of 00DB1234567890A1 (test GSME)" in texts(explain(encode_message(forged), keys))


# Damage that shows without keys -----------------------------------------------------------------------------


def clock_content(change: Callable[[bytes], bytes]) -> bytes:
    """The pre-command of the clock with other content, its length right."""
    message = MESSAGES["clock pre-command"]
    return encode_message(replace(message, content=change(message.content)))


def offset_in_clock(part: bytes) -> int:
    return octets("clock pre-command").index(part)


CLOCK_OBIS = bytes.fromhex("0000010000FF")


@pytest.mark.parametrize(
    ("damaged", "words", "place"),
    [
        (lambda d: d[:-5], "the end was cut off", lambda d: len(d) - 5),
        (lambda d: d + b"\x00\x01\x02", "too many", len),
        (lambda d: b"\x00\x0d" + d, "2 octets stand before the message", lambda d: 0),
        (lambda d: d[1:], "the tag of the grouping header, is missing", lambda d: 0),
        (lambda d: put(d, 2, b"\x07"), "unknown CRA flag", lambda d: 2),
        (lambda d: put(d, 2, b"\x02"), "the CRA flag may be wrong", lambda d: 2),
        (lambda d: put(d, 11, b"\x09"), "wrong constant", lambda d: 11),
        (lambda d: d[:14] + d[15:], "an octet is missing here", lambda d: 12),
        (lambda d: d[:24] + b"\x55" + d[24:], "an octet is too many", lambda d: 21),
        (lambda d: put(d, 30, b"\x03"), "what follows would fit a length of 2", lambda d: 30),
        (lambda d: put(d, 33, bytes((d[33] + 1,))), "the content length says", lambda d: 33),
        (
            lambda d: put(d, d.index(CLOCK_OBIS) + 2, b"\x02"),
            "the logical name of item",
            lambda d: d.index(CLOCK_OBIS) + 2,
        ),
        (lambda d: put(d, 31, b"\x00\x4f"), "the content would be that of ECS70", lambda d: 32),
        (
            lambda d: put(d, 35, b"\x20\x00\x03\xe9"),
            "the content says counter 1001, the header 1000",
            lambda d: 38,
        ),
        (
            lambda d: put(d, d.index(b"\x16\x05") + 1, b"\x06"),
            "not the constant of the use case",
            lambda d: d.index(b"\x16\x05"),
        ),
    ],
)
def test_damage_to_a_pre_command(
    damaged: Callable[[bytes], bytes], words: str, place: Callable[[bytes], int]
) -> None:
    data = octets("clock pre-command")
    explanation = explain(damaged(data))
    assert words in texts(explanation)
    assert explanation.first_wrong is not None
    assert explanation.first_wrong.offset is not None
    assert abs(explanation.first_wrong.offset - place(data)) <= 1


def test_length_that_disagrees_is_told_from_lost_octets(keys: RingLookup) -> None:
    data = octets("gas read")
    wrong = explain(put(data, 7, bytes((data[7] + 3,))), keys)
    assert "all other lengths fit the octets that are there, so this one is wrong" in texts(wrong)
    assert wrong.first_wrong is not None
    assert wrong.first_wrong.offset == 7
    cut = explain(data[:-4])
    assert "the content is whole, so the fault is behind it" in texts(cut)


def test_what_is_encrypted_cannot_be_looked_into_without_its_key(keys: RingLookup) -> None:
    data = octets("registers")
    place = data.index(b"\x31\x00\x00\x00\x00") + 12
    cut = data[:place] + data[place + 1 :]
    assert "only its key tells the place" in texts(explain(cut))
    sealed = next(one for one in explain(data).findings if one.check is Check.SEALED)
    assert sealed.outcome is Outcome.UNKNOWN
    assert re.match(r"\d+ octets of the content are encrypted, and no key for them is at hand", sealed.text)
    found = explain(cut, keys).first_wrong
    assert found is not None
    assert found.decisive
    assert found.offset is not None
    assert abs(found.offset - place) <= 1


def test_encrypted_content_of_the_right_length_is_not_called_whole() -> None:
    attribute = {
        "cluster": "metering",
        "command": "read_attributes_response",
        "sealed": "31" + "00" * 4 + "5A" * 40,
    }
    data = encode_message(maced(bare("GCS13a", Cra.RESPONSE, {"components": [attribute]}, samples.GSME)))
    place = data.index(b"\x31\x00\x00\x00\x00") + 20
    cut = data[:place] + data[place + 1 :]
    told = texts(explain(cut))
    assert "in the protected part of the content, which nobody can look into without its key" in told
    assert "only its key tells the place" in told
    assert "the content is whole" not in told


def test_length_in_more_octets_than_it_needs() -> None:
    data = octets("clock pre-command")
    explanation = explain(data[:33] + b"\x81" + data[33:])
    assert failures(explanation) == {Check.LENGTHS: "length not in its shortest form"}


def test_items_in_another_order_and_missing_items() -> None:
    content = MESSAGES["clock pre-command"].content
    first, second = content[7:17], content[17:27]
    turned = clock_content(lambda c: c[:7] + second + first + c[27:])
    assert "the items of ECS70 stand in another order" in texts(explain(turned))


def test_signature_in_der_is_recognised() -> None:
    message = MESSAGES["alert"]
    data = octets("alert")
    der = bytes.fromhex("3044022012345678") + bytes(62)
    said = texts(explain(data[: content_offset(message) + len(message.content)] + b"\x46" + der))
    assert "30 begins a signature in DER" in said


def test_number_with_a_needless_octet_is_no_der() -> None:
    message = bare("CS06", Cra.COMMAND, samples.FIRMWARE)
    place = message.content.index(bytes.fromhex("020203E8"))
    head = bytes((0x30, message.content[1] + 1)) + message.content[2:place]
    explanation = explain(encode_message(replace(message, content=head + bytes.fromhex("02030003E8"))))
    assert failures(explanation) == {Check.STRUCTURE: "number not in its shortest form"}
    assert explanation.first_wrong is not None
    assert explanation.first_wrong.offset == content_offset(message) + place + 2


# Right octets, wrong message --------------------------------------------------------------------------------


def test_party_that_may_not_send_it(keys: RingLookup) -> None:
    operator = Eui64.parse("90B3D51F30020000")
    message = replace(bare("ECS70", Cra.COMMAND, samples.CLOCK), business_originator_id=operator)
    said = failures(explain(encode_message(maced(signed(message))), keys))
    assert said == {Check.ROLE: "a network operator may not send ECS70"}


def test_device_that_does_not_support_it(keys: RingLookup) -> None:
    said = failures(explain(encode_message(maced(bare("ECS17b", Cra.COMMAND, {}, samples.GSME))), keys))
    assert said == {Check.PARTIES: "ECS17b is not for a GSME"}


def test_ids_the_other_way_round() -> None:
    message = bare("ECS17b", Cra.COMMAND, {})
    turned = replace(
        message,
        business_originator_id=message.business_target_id,
        business_target_id=message.business_originator_id,
    )
    assert "the two ids are the other way round" in texts(explain(encode_message(turned)))


def test_protection_that_does_not_belong_there(keys: RingLookup) -> None:
    said = failures(explain(encode_message(maced(bare("ECS70", Cra.COMMAND, samples.CLOCK))), keys))
    assert said == {
        Check.PROTECTION: "carries a MAC, where a signature and a MAC belongs, as ECS70 is critical"
    }


def test_signed_pre_command_is_recognised(keys: RingLookup) -> None:
    explanation = explain(encode_message(signed(bare("ECS70", Cra.COMMAND, samples.CLOCK))), keys)
    assert explanation.failures == ()
    assert any("a signed pre-command" in one.text for one in explanation.findings)


def test_response_without_its_date_time(keys: RingLookup) -> None:
    message = maced(replace(MESSAGES["registers"], date_time=None))
    said = failures(explain(encode_message(message), keys))
    assert list(said) == [Check.DATE_TIME]


def test_message_code_of_nothing() -> None:
    message = replace(MESSAGES["clock pre-command"], other_information=OtherInformation(message_code=0x7FFF))
    explanation = explain(encode_message(message))
    assert "no use case has Message Code 0x7FFF; the content would be that of ECS70" in texts(explanation)


@pytest.mark.parametrize(
    ("counter", "words"),
    [
        (0, "the counter is 0"),
        (0xE803_0000_0000_0000, "a number written with its lowest octet first"),
        (0x0000_0003_0000_0000, "that of a UTRN"),
        (0x8000_0000_0000_0001, "larger than ASN.1 messages can say"),
    ],
)
def test_counter_that_is_hardly_meant(counter: int, words: str) -> None:
    header = replace(MESSAGES["clock pre-command"], originator_counter=counter)
    content = samples.encode_content(USE_CASES["ECS70"], header, samples.CLOCK)
    explanation = explain(encode_message(replace(header, content=content)))
    doubts = [one.text for one in explanation.findings if one.outcome is Outcome.DOUBT]
    assert explanation.failures == ()
    assert any(words in text for text in doubts)


def test_values_that_contradict_each_other() -> None:
    dates: dict[str, object] = {
        "validity_interval": {
            "validity_interval_start": "2030-01-15T09:00:10Z",
            "validity_interval_end": "2030-01-15T09:00:00Z",
        }
    }
    explanation = explain(encode_message(bare("ECS70", Cra.COMMAND, dates)))
    (found,) = [one for one in explanation.findings if one.outcome is Outcome.DOUBT]
    assert found.text == "starts at 2030-01-15T09:00:10Z, after its end at 2030-01-15T09:00:00Z"
    assert found.field == "content.validity_interval.validity_interval_start"
    counter = explain(encode_message(bare("CS06", Cra.COMMAND, samples.FIRMWARE | {"originator_counter": 7})))
    assert [one.text for one in counter.findings if one.outcome is Outcome.DOUBT] == [
        "says counter 7, the header 1000"
    ]


def test_utrn_with_a_wrong_check_digit() -> None:
    explanation = explain(encode_message(bare("CS01a", Cra.COMMAND, {"utrn": "73946144332040217316"})))
    assert failures(explanation) == {Check.VALUES: "no UTRN: wrong check digit"}
    assert explanation.first_wrong is not None
    assert explanation.first_wrong.field == "content.utrn"


def test_date_that_does_not_exist_is_told_from_wildcards() -> None:
    use_case, message = USE_CASES["ECS70"], MESSAGES["clock pre-command"]
    odd = "07EE0D0FFF09000000800000"
    for text, wrong in (
        (f"hex:{odd}", [f"no date-time that exists, its month is 13: {odd}"]),
        ("hex:FFFFFEFDFF09FFFF00800000", []),
    ):
        parameters = {
            "validity_interval": {"validity_interval_start": text, "validity_interval_end": "never"}
        }
        found = [one.text for one in value_findings(message, use_case, parameters, lambda path: None)]
        assert [text for text in found if "exists" in text] == wrong


# No message at all ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"\x00", b"\xdf", b"\xdd" * 40, bytes(100), b"DF0901"])
def test_octets_that_are_no_message_are_explained_too(data: bytes) -> None:
    explanation = explain(data)
    assert explanation.failures
    assert explanation.title == "not a readable message"


def test_more_octets_than_any_message_has() -> None:
    assert "more than any message has" in texts(explain(bytes(MAX_MESSAGE_BYTES + 1)))


def test_block_of_a_long_message_is_told_for_what_it_is() -> None:
    transfer = BlockTransfer()
    message = encode_message(replace(MESSAGES["clock pre-command"], content=bytes(2000)))
    block = next(iter(transfer.send(message, 0.0)))
    explanation = explain(block)
    assert explanation.title == "GBT block"
    assert "cut up for transfer" in explanation.summary[0]
    assert explain(block[:-1]).failures


def test_lost_first_octet_of_the_content_is_told_from_a_wrong_content_length() -> None:
    data = encode_message(bare("CS06", Cra.COMMAND, samples.FIRMWARE))
    start = data.index(bytes.fromhex("0420AB")) - 2
    first = explain(data[:start] + data[start + 1 :], search=False).first_wrong
    assert first is not None
    assert (first.offset, first.text) == (start, "not the type of the use case")


# What is written the wrong way round, or twice --------------------------------------------------------------


def test_id_that_stands_with_its_last_octet_first(keys: RingLookup) -> None:
    message = maced(replace(MESSAGES["read"], message_mac=None, business_originator_id=samples.SUPPLIER))
    data = encode_message(message)
    place = data.index(samples.SUPPLIER.raw)
    explanation = explain(put(data, place, samples.SUPPLIER.raw[::-1]), keys)
    first = explanation.first_wrong
    assert first is not None
    assert (first.check, first.offset, first.expected) == (Check.PARTIES, place, str(samples.SUPPLIER))
    assert "turned round it is 90B3D51F30010000 (test supplier)" in first.text


def test_counter_that_stands_with_its_lowest_octet_first() -> None:
    data = octets("clock pre-command")
    first = explain(put(data, 3, data[3:11][::-1])).first_wrong
    assert first is not None
    assert (first.check, first.offset) == (Check.COUNTER, 3)
    assert (first.expected, first.found) == ("00000000000003E8", "E803000000000000")


@pytest.mark.parametrize("name", ["read", "alert", "clock pre-command"])
def test_second_message_behind_the_first(name: str, keys: RingLookup) -> None:
    data = octets(name)
    first = explain(data + data, keys).first_wrong
    assert first is not None
    assert (first.offset, first.field) == (len(data), "behind the message")
    assert f"a second message of {len(data)} octets" in first.text


def test_date_in_asn1_that_does_not_exist_is_no_reason_to_doubt_the_message_code() -> None:
    later = samples.FIRMWARE | {"execution_date_time": "2030-01-15T09:00:00Z"}
    data = encode_message(bare("CS06", Cra.COMMAND, later))
    place = data.index(b"20300115") + 4
    explanation = explain(put(data, place, b"13"))
    assert failures(explanation) == {Check.STRUCTURE: "no date or time that exists"}
    assert explanation.first_wrong is not None
    assert explanation.first_wrong.offset == place


def test_value_that_is_wrong_is_found_among_the_data_of_a_command() -> None:
    data = encode_message(bare("ECS12", Cra.COMMAND, {"restrict_data_date_time": "2030-01-15T09:00:00Z"}))
    place = data.index(bytes.fromhex("090C07EE"))
    first = explain(put(data, place + 4, b"\x0d")).first_wrong
    assert first is not None
    assert (first.check, first.offset) == (Check.VALUES, place)


def test_an_alert_is_called_an_alert(keys: RingLookup) -> None:
    assert explain(octets("alert"), keys).summary[0].startswith("An alert of ")
