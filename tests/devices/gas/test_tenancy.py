"""A change of tenancy at the gas proxy."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from smetslab.devices.han_frames import HanFrame
from smetslab.gbcs.message import decode_message
from smetslab.gbcs.values import seconds_since_2000
from smetslab.ids import Eui64
from smetslab.zigbee.zcl import Record
from smetslab.zigbee.zcl.clusters.device_management import DeviceManagement
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.foundation import DefaultResponse

DISPLAY = Eui64(b"DISPLAY1")
GPF = Eui64.parse("00DB1234567890A3")
BEGIN = datetime.fromisoformat("2026-03-02T12:00:00+00:00")


class Home:
    """A proxy that knows five days of its meter, and asks itself what a display asks."""

    def __init__(self, make_gpf: Callable[..., Any], head: Any) -> None:
        self.now = BEGIN
        self.head = head
        self.make_gpf = make_gpf
        self.power_on()
        with self.place.work(self.now) as work:
            for day in range(5):
                midnight = seconds_since_2000(BEGIN.replace(hour=0)) - (4 - day) * 86_400
                self.core.records.daily_consumption.put(work, midnight, 1_000 + day)
                for half_hour in range(1, 49):
                    self.core.records.profile.put(work, midnight - 86_400 + half_hour * 1_800, half_hour)
        self.core.pair_display(DISPLAY, self.now)

    def power_on(self) -> None:
        self.core, self.place = self.make_gpf(lambda: self.now)

    def tenants_change(self, at: str) -> None:
        """Spec: GBCS use case GCS09."""
        control = dict.fromkeys(
            (
                "pre_snapshots",
                "post_snapshots",
                "reset_credit_register",
                "reset_debit_register",
                "reset_billing_period",
                "clear_tariff_plan",
                "clear_standing_charge",
                "block_historical_load_profile_information",
                "clear_historical_load_profile_information",
                "clear_ihd_data_supplier",
                "clear_transaction_log",
                "clear_prepayment_data",
            ),
            False,
        )
        command = {
            "cluster": "device_management",
            "command": "publish_change_of_tenancy",
            "provider_id": 0,
            "issuer_event_id": "2026-03-02T12:00:00Z",
            "tariff_type": 0,
            "implementation_date_time": at,
            "proposed_tenancy_change_control": {
                **control,
                "clear_ihd_data_consumer": True,
                "meter_contactor_state": "supply_off",
            },
        }
        self.core.receive(self.head.command("GCS09", [command], target=GPF), self.now)
        [answer] = [one for one in self.place.outbox if one.event == "ResponseSent"]
        self.place.sent(answer)
        assert decode_message(answer.data).other_information.message_code == 0x0072

    def ask(self, command: Any, **fields: Any) -> Record | int:
        """What the proxy tells the display, or the status of its refusal."""
        content = command.frame(command.from_json(fields), sequence=1)
        self.core.han.take()  # what it has published by itself
        self.core.han_receive(HanFrame(DISPLAY, command.cluster, content), self.now)
        [answer] = self.core.han.frames
        self.core.han.frames.clear()
        if not answer.frame.cluster_specific:
            return int(DefaultResponse.decode(answer.frame.payload).status)
        told = {
            Metering.id: Metering.get_sampled_data_response,
            DeviceManagement.id: DeviceManagement.publish_change_of_tenancy,
        }[answer.cluster]
        record: Record = told.decode(answer.frame.payload)
        return record

    def samples(self, number: int, *, most: int = 50) -> list[int]:
        """The samples that a display gets, oldest first."""
        answer = self.ask(
            Metering.get_sampled_data,
            sample_id=number,
            earliest_sample_time="2026-01-01T00:00:00Z",
            sample_type="consumption_delivered",
            number_of_samples=most,
        )
        return list(answer["samples"]) if isinstance(answer, Record) else []  # type: ignore[call-overload]


@pytest.fixture
def home(make_gpf: Callable[..., Any], gas_head: Any) -> Home:
    return Home(make_gpf, gas_head)


def test_a_display_gets_days_and_half_hours(home: Home) -> None:
    assert home.samples(1) == [1_000, 1_001, 1_002, 1_003, 1_004]
    assert home.samples(0, most=3) == [1, 2, 3]
    assert len(home.samples(0, most=10_000)) == 50, "an answer is bounded"
    assert home.samples(7) == []


def test_what_began_before_the_change_is_hidden(home: Home) -> None:
    home.tenants_change("2026-02-28T10:00:00Z")
    assert home.samples(1) == [1_004]
    assert home.samples(0, most=2) == [21, 22], "the half hours from ten o'clock on"
    home.power_on()
    assert home.samples(1) == [1_004]
    assert home.core.inspect(home.now)["change_of_tenancy"] == "2026-02-28T10:00:00Z"


def test_a_change_that_lies_ahead_is_told_and_hides_nothing_yet(home: Home) -> None:
    home.tenants_change("2026-03-03T00:00:00Z")
    assert len(home.samples(1)) == 5
    told = home.ask(DeviceManagement.get_change_of_tenancy)
    assert isinstance(told, Record)
    assert told.integer("implementation_date_time") == seconds_since_2000(BEGIN.replace(hour=0)) + 86_400
    home.now += timedelta(days=1)
    assert home.samples(1) == []


def test_without_a_change_there_is_nothing_to_tell(home: Home) -> None:
    assert home.ask(DeviceManagement.get_change_of_tenancy) == 0x8B
    home.tenants_change("2026-03-01T00:00:00Z")
    home.tenants_change("never")
    assert home.ask(DeviceManagement.get_change_of_tenancy) == 0x8B
    assert len(home.samples(1)) == 5
