"""The published commands, given to a meter in the published state: are the published responses what it says?

The response's content and date-time are compared octet for octet. Protection is not: the published devices'
private keys are not published, so the commands are run past authentication, which other tests cover.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from smetslab.devices.payload_engine import Fault
from smetslab.gbcs.dlms.apdu import AccessResponse, decode_apdu
from smetslab.gbcs.message import Message, decode_message
from smetslab.gbcs.security import EncryptionContext
from smetslab.gbcs.usecases import engine
from smetslab.gbcs.usecases.registry import find

RTDS_TIME = datetime(2015, 1, 1, tzinfo=UTC)
WORLD = {"active_tariff_price_millipence": 1}

CASES = (
    ("4.11.1_ECS24/ECS24_4.11.1_SUCCESS", None),
    ("4.11.1_ECS24/ECS24_4.11.1_ERROR", 15),
    ("4.13_ECS26a/ECS26a_4.13_SINGLE_SUCCESS", None),
    ("7.4_ECS45/ECS45_7.4_SUCCESS", None),
    ("7.4_ECS45/ECS45_7.4_ERROR", 0),
    ("11.2_ECS52/ECS52_11.2_SUCCESS", None),
    ("11.2_ECS52/ECS52_11.2_ERROR", 0),
    ("3.1_ECS10/ECS10_3.1_SUCCESS", None),
    ("3.1_ECS10/ECS10_3.1_ERROR", 0),
    ("7.1_ECS42/ECS42_7.1_ERROR", 0),
    ("7.2_ECS43/ECS43_7.2_SUCCESS", None),
    ("7.2_ECS43/ECS43_7.2_ERROR", 0),
    ("7.3_ECS44/ECS44_7.3_SUCCESS", None),
    ("6.4.1_ECS28a/ECS28a_6.4.1_IMMEDIATE_SUCCESS", None),
    ("6.4.1_ECS28a/ECS28a_6.4.1_FUTURE_DATED_SUCCESS", None),
    ("6.4.1_ECS28a/ECS28a_6.4.1_CANCELLATION_SUCCESS", None),
    ("4.2_ECS17a/ECS17a_4.2_SUCCESS", None),
    ("4.2_ECS17a/ECS17a_4.2_ERROR", 2),
    ("4.1.1_ECS17b/ECS17b_4.1.1_ERROR", 0),
    ("4.6.1_ECS21a/ECS21a_4.6.1_ERROR", 0),
    ("4.8.1_ECS22b/ECS22b_4.8.1_ERROR", 0),
    ("6.11_ECS70/ECS70_6.11_SUCCESS", None),
    ("6.11_ECS70/ECS70_6.11_ERROR", 3),
    ("4.15_ECS27/ECS27_4.15_SUCCESS", None),
)


def _message(path: Path) -> Message:
    return decode_message(bytes.fromhex(path.read_text().strip()))


@pytest.mark.parametrize(("case", "fault"), CASES, ids=[case.rpartition("/")[2] for case, _ in CASES])
def test_published_response(rtds: Path, make_bench: Callable[..., Any], case: str, fault: int | None) -> None:
    command = _message(rtds / "gbcs" / f"{case}_COMMAND_GBCS.HEX")
    expected = _message(rtds / "gbcs" / f"{case}_RESPONSE_GBCS.HEX")
    bench = make_bench(state=WORLD, at=RTDS_TIME)
    if fault is not None:
        bench.core.application.command_fault = Fault(fault)
    # Protected anew for the bench's own keys; content and grouping header are the published ones.
    own = bench.head.protect(replace(command, message_mac=None, signature=None))
    sent = bench.send(own)
    response = decode_message(next(m.data for m in sent if m.event == "ResponseSent"))
    assert response.content.hex() == expected.content.hex()
    assert response.date_time == expected.date_time
    assert (response.originator_counter, response.other_information) == (
        expected.originator_counter,
        expected.other_information,
    )
    assert bool(response.signature) == bool(expected.signature)
    assert (response.message_mac is None) == (expected.message_mac is None)


def test_import_registers_are_the_published_plaintext(rtds: Path, make_bench: Callable[..., Any]) -> None:
    """ECS17b of a twin element meter has one member more than ours; the others are the same."""
    folder = rtds / "gbcs" / "4.1.1_ECS17b"
    command = _message(folder / "ECS17b_4.1.1_TWIN_SUCCESS_COMMAND_GBCS.HEX")
    expected = _message(folder / "ECS17b_4.1.1_TWIN_SUCCESS_RESPONSE_GBCS.HEX")
    bench = make_bench(state=WORLD, at=RTDS_TIME)
    sent = bench.send(bench.head.protect(replace(command, message_mac=None, signature=None)))
    response = decode_message(sent[0].data)
    parameters, protected = _only_item(response).items
    assert parameters == _only_item(expected).items[0]
    assert EncryptionContext.of(response) == EncryptionContext.of(expected)
    plaintext = EncryptionContext.of(response).decrypt(
        bench.head.secret(response.business_target_id), protected.value
    )
    assert plaintext.hex() == "02010204060000000a02020f00161e060000000a02020f001620"


def _only_item(message: Message) -> Any:
    apdu = decode_apdu(message.content)
    assert isinstance(apdu, AccessResponse)
    return apdu.data[0]


def test_future_dated_alerts_are_the_published_ones(rtds: Path, make_bench: Callable[..., Any]) -> None:
    folder = rtds / "gbcs" / "6.4.1_ECS28a"
    command = _message(folder / "ECS28a_6.4.1_FUTURE_DATED_SUCCESS_COMMAND_GBCS.HEX")
    bench = make_bench(state={**WORLD, "first_alert_counter": 2004}, at=RTDS_TIME)
    bench.send(bench.head.protect(replace(command, message_mac=None, signature=None)))
    due = bench.core.application.next_deadline()
    bench.clock.moment = due
    bench.core.tick(due)
    sent = {message.originator_counter: message for message in (decode_message(m.data) for m in bench.take())}
    published = [_message(path) for path in sorted(folder.glob("*8F66*_ALERT_*.HEX"))]
    assert len(published) >= 3
    for alert in published:
        own = sent[alert.originator_counter]
        assert own.content.hex() == alert.content.hex()
        assert (own.other_information, own.date_time) == (alert.other_information, alert.date_time)
        assert engine.decode_content(find(own), own)["alert_code"] == "8F66"
