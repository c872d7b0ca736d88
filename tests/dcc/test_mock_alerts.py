"""What devices do later or of their own accord: future-dated commands and their outcomes, and alerts."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from smetslab.duis.codes import CommandVariant
from smetslab.duis.document import (
    DeviceAlert,
    FutureDatedDeviceAlert,
    RequestId,
    parse_response,
)
from smetslab.ids import Eui64
from smetslab.registry import DeviceStatus

SUPPLIER = Eui64.parse("90B3D51F30010000")
BROKER = Eui64.parse("90B3D51F30000002")
ESME = Eui64.parse("00DB1234567890A0")
HUB = Eui64.parse("00DB1234567890A2")
LIMITS = {
    "LoadLimitPeriod": 300,
    "LoadLimitPowerThreshold": 6900,
    "LoadLimitRestorationPeriod": 30,
    "LoadLimitSupplyState": "Unchanged",
}
LATER = "2030-01-15T09:00:00Z"


def read(bench, counter=1000, *, variant="4.1.1", command_variant=CommandVariant.SEND, execution=None):
    """The document of a read by the supplier."""
    return bench.supplier.document(variant, ESME, None, command_variant, counter=counter, execution=execution)


def seconds(bench, since: datetime) -> float:
    return (bench.clock.now() - since) / timedelta(seconds=1)


# Future dating -----------------------------------------------------------


def test_the_outcome_of_each_instruction_is_an_answer_to_the_request(play) -> None:
    objects = ("0-0:94.44.0.3", "0-0:94.44.128.7", "0-0:94.44.128.6", "0-0:94.44.128.8")

    async def story(bench) -> None:
        assert (await bench.supplier.request("6.4.1", ESME, LIMITS, execution=LATER)).ok
        request_id = RequestId(SUPPLIER, ESME, 1000)
        for number, name in enumerate(objects, 1):
            octets = bench.esme.outcome(name, 1000, code="8F67" if number == 4 else "8F66")
            await bench.hub.send(octets)
            alert = await bench.dcc.next_alert(lambda _: True, 10)
            assert (alert.request_id, alert.response_id) == (request_id, request_id.swapped())
            code = "8F67" if number == 4 else "8F66"
            assert alert.payload == FutureDatedDeviceAlert(code, octets, number, 4)
        # All instructions are accounted for: a fifth alert is no answer to anything any more.
        await bench.hub.send(bench.esme.outcome(objects[0], 1000))
        alert = await bench.dcc.next_alert(lambda _: True, 10)
        assert (alert.request_id, type(alert.body)) == (None, DeviceAlert)

    play(story)


@pytest.mark.parametrize(
    ("name", "counter", "attribute"),
    [("0-0:94.44.0.3", 999, 6), ("0-0:94.44.9.9", 1000, 6), ("0-0:94.44.0.3", 1000, 4)],
)
def test_an_outcome_of_nothing_we_know_is_a_plain_alert(
    play, name: str, counter: int, attribute: int
) -> None:
    async def story(bench) -> None:
        assert (await bench.supplier.request("6.4.1", ESME, LIMITS, execution=LATER)).ok
        octets = bench.esme.outcome(name, counter, attribute=attribute)
        await bench.hub.send(octets)
        alert = await bench.dcc.next_alert(lambda _: True, 10)
        assert alert.body == DeviceAlert("8F66", octets)
        assert alert.response_id == RequestId(ESME, SUPPLIER, bench.esme.alert_counter)

    play(story)


def test_a_cancellation_that_succeeds_ends_what_was_dated_before(play) -> None:
    async def story(bench) -> None:
        assert (await bench.supplier.request("6.4.1", ESME, LIMITS, execution=LATER)).ok
        assert (await bench.supplier.request("6.4.1", ESME, LIMITS, execution="never")).ok
        await bench.hub.send(bench.esme.outcome("0-0:94.44.0.3", 1000))
        alert = await bench.dcc.next_alert(lambda _: True, 10)
        assert isinstance(alert.body, DeviceAlert)

    play(story)


def test_an_immediate_command_is_not_remembered_as_future_dated(play) -> None:
    async def story(bench) -> None:
        assert (await bench.supplier.request("6.4.1", ESME, LIMITS)).ok
        assert bench.store.nvm("dcc").items("future/") == []

    play(story)


def test_a_read_dated_by_the_dcc_waits_there(play) -> None:
    async def story(bench) -> None:
        acknowledged = await bench.dcc.receive(read(bench, execution="2026-03-02T06:00:00Z"))
        assert parse_response(acknowledged).code == "I99"
        await bench.clock.sleep(86_000)
        assert bench.esme.received == []
        final = parse_response(await bench.dcc.final_response(RequestId(SUPPLIER, ESME, 1000)))
        assert final.code == "I0"
        assert final.date_time.isoformat().startswith("2026-03-02T06:00:0")

    play(story)


def test_a_date_in_the_past_means_now(play) -> None:
    async def story(bench) -> None:
        assert (await bench.supplier.request("4.1.1", ESME, execution="2020-01-01T00:00:00Z")).ok

    play(story)


def test_a_read_that_was_dated_and_gets_no_answer_times_out_with_its_own_code(play) -> None:
    async def story(bench) -> None:
        bench.esme.silent = True
        answer = await bench.supplier.request("4.1.1", ESME, execution="2026-03-02T06:00:00Z")
        assert answer.code == "E30"

    play(story)


def test_a_read_that_was_dated_is_judged_again_when_its_time_has_come(play) -> None:
    async def story(bench) -> None:
        await bench.dcc.receive(read(bench, execution="2026-03-02T06:00:00Z"))
        bench.inventory.set_status(ESME, DeviceStatus.DECOMMISSIONED)
        final = parse_response(await bench.dcc.final_response(RequestId(SUPPLIER, ESME, 1000)))
        assert final.code == "E5"
        assert bench.esme.received == []

    play(story)


def test_reads_that_wait_can_be_cancelled(play) -> None:
    async def story(bench) -> None:
        for counter, variant in ((1000, "4.1.1"), (1001, "11.2"), (1002, "4.1.1")):
            await bench.dcc.receive(read(bench, counter, variant=variant, execution="2026-03-02T06:00:00Z"))
        answer = parse_response(await bench.dcc.submit(read(bench, 1003, execution="never")))
        assert (answer.code, answer.payload) == ("I0", None)
        again = parse_response(await bench.dcc.submit(read(bench, 1003, execution="never")))
        assert again.code == "E65"
        codes = {}
        for counter in (1000, 1001, 1002):
            final = await bench.dcc.final_response(RequestId(SUPPLIER, ESME, counter))
            codes[counter] = parse_response(final).code
        assert codes == {1000: "E30", 1001: "I0", 1002: "E30"}
        assert [message.originator_counter for message in bench.esme.received] == [1001]

    play(story)


# Alerts -----------------------------------------------------------


def test_an_alert_goes_to_whom_it_is_addressed_or_named_behind_the_broker(play) -> None:
    async def story(bench) -> None:
        plain = bench.esme.generic_alert("8F3E")
        named = bench.esme.generic_alert("81C0", "GNCA", BROKER, SUPPLIER)
        for octets in (plain, named):
            await bench.hub.send(octets)
        found = [await bench.dcc.next_alert(lambda _: True, 10) for _ in range(2)]
        assert [alert.body for alert in found] == [DeviceAlert("8F3E", plain), DeviceAlert("81C0", named)]
        ids = [RequestId(ESME, SUPPLIER, counter) for counter in (2001, 2002)]
        assert [alert.response_id for alert in found] == ids
        assert [parse_response(document) for document in bench.dcc.alerts] == found

    play(story)


@pytest.mark.parametrize("use_case", ["GCA", "GNCA"])
def test_an_alert_whose_protection_is_wrong_is_dropped(play, use_case: str) -> None:
    async def story(bench) -> None:
        octets = bench.esme.generic_alert("8F3E", use_case, BROKER, SUPPLIER)
        await bench.hub.send(octets[:-1] + bytes((octets[-1] ^ 1,)))
        with pytest.raises(TimeoutError):
            await bench.dcc.next_alert(lambda _: True, 10)
        assert bench.dcc.alerts == []
        assert len(bench.events("MessageDropped")) == 1

    play(story)


def test_alerts_are_given_out_once_and_by_what_they_say(play) -> None:
    async def story(bench) -> None:
        for code in ("8F3E", "8F3F", "8F3E"):
            await bench.hub.send(bench.esme.generic_alert(code))
        await bench.clock.sleep(10)
        found = [await bench.dcc.next_alert(_says(code), 1) for code in ("8F3F", "8F3E", "8F3E")]
        assert [alert.response_id.counter for alert in found] == [2002, 2001, 2003]
        with pytest.raises(TimeoutError):
            await bench.dcc.next_alert(_says("8F3F"), 1)

    play(story)


def _says(code: str):
    return lambda alert: isinstance(alert.body, DeviceAlert) and alert.body.alert_code == code
