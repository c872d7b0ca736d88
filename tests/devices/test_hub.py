"""The hub as a device: its log, joining windows, backups, radio, reads, firmware; nothing of its relay."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from security_kit import BROKER, DEVICE, RING, Kit

from smetslab.crypto import aes_mmo
from smetslab.devices.application import Station
from smetslab.devices.chf_core import HubClock, HubCore, HubSettings, read_settings
from smetslab.devices.clock import ClockStatus
from smetslab.devices.credentials import DeviceKeys, TrustAnchorStore
from smetslab.devices.hub_log import HubDeviceLog
from smetslab.devices.payload_engine import Fault
from smetslab.devices.profile import load_profile
from smetslab.devices.quirks import Quirks
from smetslab.devices.work import Workplace
from smetslab.errors import UsageError
from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.han.air.duty import DutyState
from smetslab.ids import Eui64
from smetslab.store import Store
from smetslab.zigbee.security import install_code_key

METER, PPMID, GPF = (Eui64(bytes(7) + bytes((n,))) for n in (1, 2, 3))
CODE = bytes.fromhex("30313233343536373839414243444546")
WINDOW_S = 90


class HubKit(Kit):
    """A hub on a bench."""

    changes: list[tuple[Eui64, bool]]

    def power_on(self) -> None:
        self.changes = []
        station = Station(
            eui64=DEVICE,
            device_type=DeviceType.CHF,
            keys=DeviceKeys.from_keystore(RING, DEVICE),
            trust_anchors=TrustAnchorStore.for_device(DeviceType.CHF, RING, self.parties),
            secrets=self.secrets,
            quirks=self.quirks,
            supported=lambda _use_case: True,
            answers_to=RemotePartyRole.ACCESS_CONTROL_BROKER,
            first_alert_counter=4000,
        )
        clock = HubClock(ClockStatus.RELIABLE, timedelta())
        self.place = Workplace(DEVICE, self.nvm, self.trace)
        self.log = HubDeviceLog(
            self.nvm, lambda device, added: self.changes.append((device, added)), network=bytes(range(8))
        )
        self.core = HubCore(station, HubSettings(clock=clock, attributes={}), self.place, self.log, self.now)
        self.application = self.core.application
        self.security = self.core.security

    def tell(self, name: str, parameters: dict[str, Any], counter: int) -> dict[str, Any]:
        return self.ask(name, parameters, originator=BROKER, counter=counter)

    def add(self, device: Eui64, counter: int, seconds: int = WINDOW_S, code: bytes = CODE) -> dict[str, Any]:
        entry = {
            "entity_identifier": str(device),
            "credentials_type": "install code",
            "installation_credentials": code.hex().upper(),
            "device_type": 0,
        }
        asked = {
            "entry_to_be_added": entry,
            "joining_time_period": seconds,
            "allows_devices_on_to_the_han": True,
        }
        return self.tell("CCS01", asked, counter)

    def knock(self, device: Eui64, key: bytes, kind: DeviceType = DeviceType.ESME) -> str | None:
        refusal = self.core.device_knocks(self.now, device, kind, key)
        self.take()
        return refusal

    def backups(self) -> list[list[tuple[str, str]]]:
        """The device logs that CS14 alerts have brought."""
        found = []
        for alert in self.alerts:
            told: Any = self.told(alert)
            if told["alert_code"] == "8F12":
                devices = told["device_log"]["devices"]
                found.append([(one["device_identifier"], one["security_details"]) for one in devices])
        return found


@pytest.fixture
def hub() -> Iterator[HubKit]:
    with Store() as store:
        yield HubKit(store, DeviceType.CHF)


KEY = install_code_key(CODE)


def test_a_device_is_added_joins_and_is_backed_up_each_time(hub: HubKit) -> None:
    assert hub.add(METER, 1) == {}
    assert hub.backups() == [[(str(METER), "")]]
    assert hub.knock(METER, KEY) is None
    hashed = aes_mmo(KEY).hex().upper()
    assert hub.backups()[1:] == [[(str(METER), hashed)]]
    assert hub.changes == [(METER, True)]
    hub.power_cut()
    assert hub.log.devices() == {METER: DeviceType.ESME}
    assert hub.knock(METER, KEY) is None


def test_adding_a_device_again_changes_nothing_and_opens_the_window(hub: HubKit) -> None:
    hub.add(METER, 1)
    hub.clock.moment += timedelta(seconds=WINDOW_S)
    assert hub.knock(METER, KEY) == "window closed"
    assert hub.add(METER, 2) == {}
    assert len(hub.backups()) == 1
    assert hub.knock(METER, KEY) is None


@pytest.mark.parametrize(
    ("wait_s", "key", "refusal"),
    [
        (0, KEY, None),
        (WINDOW_S - 1, KEY, None),
        (WINDOW_S, KEY, "window closed"),
        (0, bytes(16), "wrong key"),
    ],
)
def test_the_window_and_the_key_of_a_new_device(
    hub: HubKit, wait_s: int, key: bytes, refusal: str | None
) -> None:
    hub.add(METER, 1)
    hub.clock.moment += timedelta(seconds=wait_s)
    assert hub.knock(METER, key) == refusal
    assert ("8F48" in hub.codes()) == (refusal == "wrong key")


@pytest.mark.parametrize("octets", [0, 7, 14, 17])
def test_a_device_with_a_code_of_a_size_that_no_install_code_has_is_not_added(
    hub: HubKit, octets: int
) -> None:
    failures = hub.add(METER, 1, code=bytes(octets))["failures"]
    assert failures["entry_to_be_added"] == "type-unmatched"
    assert hub.log.devices() == {}


def test_a_stranger_is_not_let_in(hub: HubKit) -> None:
    hub.add(METER, 1)
    assert hub.knock(PPMID, KEY) == "not listed"


def test_joining_can_be_closed(hub: HubKit) -> None:
    hub.add(METER, 1, seconds=0)
    assert hub.knock(METER, KEY) == "window closed"


@pytest.mark.parametrize(
    ("wait_s", "old", "refusal"),
    [
        (0, True, None),
        (0, False, "wrong key"),
        (WINDOW_S / 2, True, "wrong key"),
        (WINDOW_S / 2, False, None),
    ],
)
def test_a_device_that_was_there_may_use_its_old_key_in_the_first_half(
    hub: HubKit, wait_s: float, old: bool, refusal: str | None
) -> None:
    other = bytes(range(16))
    hub.add(METER, 1)
    hub.knock(METER, KEY)
    # It has agreed on a key of its own since, and is taken off with that.
    with hub.place.work(hub.now) as work:
        hub.log.joined(work, METER, DeviceType.ESME, other)
    hub.tell("CCS02", {"entry_to_be_removed": str(METER)}, 2)
    hub.power_cut()
    hub.add(METER, 3)
    hub.clock.moment += timedelta(seconds=wait_s)
    assert hub.knock(METER, other if old else KEY) == refusal


def test_a_removed_device_is_remembered_but_not_a_gas_proxy(hub: HubKit) -> None:
    for device, kind, counter in ((METER, DeviceType.ESME, 1), (GPF, DeviceType.GPF, 3)):
        hub.add(device, counter)
        hub.knock(device, KEY, kind)
        hub.tell("CCS02", {"entry_to_be_removed": str(device)}, counter + 1)
    read = hub.tell("CCS07", {}, 5)
    assert read["device_log"]["devices"] == []
    assert [one["device_identifier"] for one in read["historic_device_log"]["devices"]] == [str(METER)]
    assert hub.changes[-1] == (GPF, False)


def test_a_hub_without_a_past_has_no_historic_log(hub: HubKit) -> None:
    read = hub.tell("CCS07", {}, 1)
    assert read["historic_device_log"] is None
    assert read["device_log"]["han_identifier"] == bytes(range(8)).hex().upper()


def test_the_historic_log_keeps_fifteen(hub: HubKit) -> None:
    counter = 0
    for number in range(17):
        device = Eui64(bytes(7) + bytes((number,)))
        hub.add(device, counter := counter + 1)
        hub.knock(device, KEY)
        hub.tell("CCS02", {"entry_to_be_removed": str(device)}, counter := counter + 1)
    kept = [entry.device.raw[-1] for entry in hub.log.historic]
    assert kept == list(range(2, 17))


def test_the_log_has_room_for_sixteen(hub: HubKit) -> None:
    for number in range(16):
        assert hub.add(Eui64(bytes(7) + bytes((number,))), number + 1) == {}
    refused = hub.add(Eui64(bytes(7) + b"\x77"), 17)
    assert refused["failures"]["entry_to_be_added"] == "other-reason"
    assert len(hub.log.entries) == 16
    assert len(hub.backups()) == 16


def test_removing_a_stranger_is_a_success_that_changes_nothing(hub: HubKit) -> None:
    assert hub.tell("CCS02", {"entry_to_be_removed": str(METER)}, 1) == {}
    assert hub.backups() == []


def test_a_new_hub_takes_over_the_log_of_the_old_one(hub: HubKit) -> None:
    hub.add(GPF, 1)
    hashed = aes_mmo(KEY).hex().upper()
    details = {
        "han_identifier": "0000000000000140",
        "devices": [
            {"device_identifier": str(METER), "security_details": hashed},
            {"device_identifier": str(PPMID), "security_details": aes_mmo(bytes(16)).hex().upper()},
        ],
    }
    assert hub.tell("CCS03", {"log_details": details}, 2) == {}
    hub.power_cut()
    assert hub.log.network.hex() == "0000000000000140"
    assert [entry.device for entry in hub.log.entries] == [METER, PPMID]
    assert hub.backups()[-1] == [
        (one["device_identifier"], one["security_details"]) for one in details["devices"]
    ]
    assert hub.knock(METER, KEY) is None
    assert hub.knock(METER, bytes(16)) == "wrong key"


def test_a_failed_command_leaves_the_items_before_it(hub: HubKit) -> None:
    hub.application.command_fault = Fault(1)
    answer = hub.add(METER, 1)
    assert answer["failures"] == {
        "joining_time_period": "hardware-fault",
        "allows_devices_on_to_the_han": "other-reason",
    }
    assert hub.log.find(METER) is not None
    assert hub.knock(METER, KEY) == "window closed"


def test_a_device_that_is_silent_is_lost_until_it_is_heard_again(hub: HubKit) -> None:
    hub.add(METER, 1)
    hub.knock(METER, KEY, DeviceType.GSME)
    hub.clock.moment += timedelta(hours=2)
    hub.core.tick(hub.now)
    hub.take()
    (shown,) = hub.tell("CCS06", {}, 2)["device_log"]
    assert shown["status"]["actively_reporting_on_pan"] is False
    assert [f"{entry.code:04X}" for entry in hub.application.event_log.entries] == ["8F29"]
    hub.log.heard(hub.now, METER)
    hub.clock.moment += timedelta(minutes=10)
    hub.core.tick(hub.now)
    (shown,) = hub.tell("CCS06", {}, 3)["device_log"]
    assert shown["status"]["actively_reporting_on_pan"] is True
    assert shown["last_communications_date_time"].startswith("hex:07EA0302")


def test_who_is_a_device_may_not_speak_to_the_log(hub: HubKit) -> None:
    """Only the ACB may."""
    asked = {"entry_to_be_removed": str(METER)}
    wan = hub.parties[RemotePartyRole.WAN_PROVIDER]
    assert hub.answer(hub.command("CCS02", asked, originator=wan)) is None


# ------------------------------------------------------------------------------------------------ radio


def codes(hub: HubKit) -> list[str]:
    return [str(hub.told(alert)["alert_code"]) for alert in hub.alerts]


def send_for(hub: HubKit, seconds: float, device: Eui64 = METER) -> None:
    with hub.place.work(hub.now) as work:
        hub.core.radio.sent(work, device, seconds)
    hub.take()


def test_the_duty_cycle_goes_up_and_down_by_its_states(hub: HubKit) -> None:
    send_for(hub, 44)
    assert hub.core.radio.state is DutyState.NORMAL
    send_for(hub, 2)
    assert hub.core.radio.state is DutyState.LIMITED
    assert hub.told(hub.alerts[-1])["device_identifier"] == str(METER)
    send_for(hub, 50, PPMID)
    assert hub.core.radio.state is DutyState.REGULATED
    assert codes(hub) == ["8F20", "8F22", "8F24"]
    assert not hub.core.radio.may_send(urgent=True)
    hub.clock.moment += timedelta(hours=2)
    hub.core.tick(hub.now)
    hub.take()
    assert hub.core.radio.state is DutyState.NORMAL
    assert codes(hub)[3:] == ["8F25", "8F23"]
    logged = [f"{entry.code:04X}" for entry in hub.core.channel_log.entries]
    assert logged == ["8F20", "8F22", "8F24", "8F25", "8F23", "8F21"]
    assert hub.core.radio.may_send(urgent=False)


def test_a_configuration_is_written_told_and_read(hub: HubKit) -> None:
    settings: Any = hub.tell("DBCH03", {}, 1)["sub_ghz_configuration_settings"]
    wanted = {**settings, "gsme_curfew": 9}
    assert hub.tell("DBCH04", {"sub_ghz_configuration_settings": wanted}, 2) == {}
    assert codes(hub) == ["8F2A"]
    assert hub.told(hub.alerts[0])["sub_ghz_configuration_settings"] == wanted
    hub.power_cut()
    assert hub.tell("DBCH03", {}, 3)["sub_ghz_configuration_settings"] == wanted


def test_a_scan_goes_to_a_quieter_channel_so_often_a_week(hub: HubKit) -> None:
    quiet = [(31, 1), (29, 27), (30, 36), (29, 28), (28, 1)]
    for number, channel in enumerate(quiet, 1):
        hub.core.radio.noise = lambda one, best=channel: 0 if one == best else 20
        assert hub.tell("DBCH05", {}, number) == {}
    assert codes(hub).count("8F26") == 4
    assert codes(hub)[-1] == "8F2B"
    shown = hub.tell("DBCH01", {}, 9)["operating_sub_ghz_channel"]
    assert shown == {"page": 29, "channels": [28]}
    window = {"start_date_time": "2026-03-02T00:00:00Z", "end_date_time": "2026-03-03T00:00:00Z"}
    log: Any = hub.tell("DBCH02", {"sub_ghz_channel_log_period": window}, 10)["sub_ghz_channel_log"]
    assert [one["other_information"]["channels"][0] for one in log] == [1, 27, 36, 28]
    assert {one["other_information"]["scan_trigger"] for one in log} == {"RemotePartyCommand"}


def test_a_scan_that_finds_nothing_better_stays(hub: HubKit) -> None:
    hub.core.radio.noise = lambda channel: 5 if channel == (28, 0) else 0
    hub.tell("DBCH05", {}, 1)
    assert hub.core.radio.channel == (28, 0)
    assert codes(hub) == ["8F28"]


def test_one_more_device_than_the_radio_serves(hub: HubKit) -> None:
    with hub.place.work(hub.now) as work:
        assert hub.core.radio.admits(work, METER, 3)
        assert not hub.core.radio.admits(work, METER, 4)
    hub.take()
    assert codes(hub) == ["8F2D"]


# ------------------------------------------------------------------------------------------------ the rest


def test_logs_are_read_for_a_period(hub: HubKit) -> None:
    hub.add(METER, 1)
    hub.clock.moment += timedelta(hours=1)
    hub.add(PPMID, 2)
    first_hour = {"start_date_time": "2026-03-02T12:00:00Z", "end_date_time": "2026-03-02T12:59:59Z"}
    log = hub.tell("ECS35d", {"security_log_period": first_hour}, 3)["security_log"]
    assert log == [{"timestamp": "2026-03-02T12:00:00Z", "log_code": "8F12"}]
    assert hub.tell("ECS35c", {"event_log_period": first_hour}, 4)["event_log"] == []


def test_what_became_of_an_image_for_a_device(hub: HubKit) -> None:
    for outcome, code, words in ((0, "8F8A", "success"), (2, "8F89", "hardwareVersionMismatch")):
        with hub.place.work(hub.now) as work:
            hub.core.transferred(work, METER, bytes.fromhex("00010001"), outcome)
        hub.take()
        told = hub.told(hub.alerts[-1])
        assert (told["alert_code"], told["transfer_response_code"]) == (code, words)
        assert hub.alerts[-1].signature


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"extended_pan_id": "12"}, "16 hexadecimal digits"),
        ({"dual_band": 1}, "not of type bool"),
        ({"clock_status": "good"}, "not one of"),
        ({"colour": 1}, "unknown setting"),
    ],
)
def test_a_wrong_setting_is_refused(state: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_settings(load_profile("chf-reference").with_overrides(state=state))


def test_a_hub_with_quirks_is_a_hub(hub: HubKit) -> None:
    assert Quirks() == hub.quirks
    shown = hub.core.inspect(hub.now)
    assert shown["network"] == bytes(range(8)).hex().upper()
