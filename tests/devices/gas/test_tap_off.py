"""The proxy learns from what passes the hub; it answers for the meter, with its own status octet."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from smetslab.devices.payload_engine import Fault
from smetslab.gbcs.values import seconds_since_2000
from smetslab.ids import Eui64
from smetslab.zigbee.zcl.clusters.price import Price

MakeBench = Callable[..., Any]
GSME = Eui64.parse("00DB1234567890A1")
GPF = Eui64.parse("00DB1234567890A3")
NOW_TEXT = "2026-03-02T12:00:00Z"


def component(cluster: str, command: str, **fields: Any) -> dict[str, Any]:
    return {"cluster": cluster, "command": command, **fields}


def factors(value: int) -> list[dict[str, Any]]:
    return [
        component(
            "price",
            "publish_conversion_factor",
            issuer_event_id=NOW_TEXT,
            start_time="immediate",
            conversion_factor=value,
            conversion_factor_trailing_digit={"trailing_digit": 2},
        ),
        component(
            "price",
            "publish_calorific_value",
            issuer_event_id=NOW_TEXT,
            start_time="immediate",
            calorific_value=390,
            calorific_value_unit="MJ/m3",
            calorific_value_trailing_digit={"trailing_digit": 1},
        ),
    ]


class Home:
    """A meter and its proxy; every message for the meter passes the hub."""

    def __init__(self, make_gas_bench: MakeBench, make_gpf: MakeBench) -> None:
        self.bench = make_gas_bench()
        self.make_gpf = make_gpf
        self.power_proxy()

    def power_proxy(self) -> None:
        self.proxy, self.place = self.make_gpf(lambda: self.bench.now)

    def pass_down(self, data: bytes) -> bytes:
        """The command passes, is executed, and its response passes."""
        self.proxy.passed_down(GSME, data, self.bench.now)
        [response] = [one for one in self.bench.send(data) if one.event == "ResponseSent"]
        self.proxy.passed_up(GSME, response.data, self.bench.now)
        return response.data

    @property
    def mirrored(self) -> int:
        return self.proxy.engine.memory.number(Price.conversion_factor)

    def log_codes(self) -> list[str]:
        return [f"{entry.code:04X}" for entry in self.proxy.application.event_log.entries]


@pytest.fixture
def home(make_gas_bench: MakeBench, make_gpf: MakeBench) -> Home:
    return Home(make_gas_bench, make_gpf)


def test_what_the_meter_has_done_the_proxy_does_too(home: Home) -> None:
    home.pass_down(home.bench.head.command("GCS23", factors(99)))
    assert home.mirrored == 99
    home.power_proxy()
    assert home.mirrored == 99


def test_what_the_meter_refuses_changes_nothing_at_the_proxy(home: Home) -> None:
    before = home.mirrored
    home.bench.core.application.command_fault = Fault(0)
    home.pass_down(home.bench.head.command("GCS23", factors(99)))
    assert home.mirrored == before


def test_a_response_without_its_command_says_nothing(home: Home) -> None:
    before = home.mirrored
    data = home.bench.head.command("GCS23", factors(99))
    [response] = [one for one in home.bench.send(data) if one.event == "ResponseSent"]
    home.proxy.passed_up(GSME, response.data, home.bench.now)
    assert home.mirrored == before


def test_a_command_is_remembered_over_a_power_cut_of_the_hub(home: Home) -> None:
    data = home.bench.head.command("GCS23", factors(77))
    home.proxy.passed_down(GSME, data, home.bench.now)
    home.power_proxy()
    [response] = [one for one in home.bench.send(data) if one.event == "ResponseSent"]
    home.proxy.passed_up(GSME, response.data, home.bench.now)
    assert home.mirrored == 77


def test_noise_is_passed_over(home: Home) -> None:
    for data in (b"", b"\xdd", home.bench.head.command("GCS23", factors(1))[:-4]):
        home.proxy.passed_down(GSME, data, home.bench.now)
        home.proxy.passed_up(GSME, data, home.bench.now)
    assert "819E" not in home.log_codes()


def test_the_proxy_answers_for_the_meter(home: Home) -> None:
    """A read of the proxy tells what the meter has reported."""
    bench = home.bench
    bench.volumes.half_hour_ml = 40_000
    bench.pass_time(timedelta(hours=5))
    bench.core.settle(bench.now)
    for cluster, frame in bench.core.reporter.frames(bench.now, seconds_since_2000(bench.now)):
        assert home.proxy.reported(cluster, frame, bench.now)
    asked = [component("metering", "read_attributes", attributes=["site_id"])]
    told = {}
    for target in (GSME, GPF):
        data = bench.head.command("GCS46", asked, target=target)
        if target == GSME:
            [response] = [one for one in bench.send(data) if one.event == "ResponseSent"]
        else:
            home.proxy.receive(data, bench.now)
            [response] = [one for one in home.place.outbox if one.event == "ResponseSent"]
        told[target] = bench.head.read(response.data)["components"]
    assert told[GSME] == told[GPF]
