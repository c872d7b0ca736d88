"""A running image that is damaged: what the next start finds, and what runs then."""

from __future__ import annotations

from collections.abc import Callable

from meter_bench import Bench

from smetslab.devices import events
from smetslab.devices.security.firmware_store import FirmwareRules, HeldImage, damage_running_image
from smetslab.devices.security.installed import SecuritySettings

MADE_WITH, FIRST, SECOND = (bytes.fromhex(f"0001000{number}") for number in range(3))
MakeBench = Callable[..., Bench]


def updated(make_bench: MakeBench) -> Bench:
    """A meter that runs its second image."""
    rules = FirmwareRules(version=MADE_WITH, held=HeldImage(image_hash=bytes(32), version=FIRST))
    bench = make_bench(security=SecuritySettings(firmware=rules))
    firmware = bench.core.security.firmware
    with bench.place.work(bench.now) as work:
        firmware.run(work)
    firmware.store.held = HeldImage(image_hash=bytes(32), version=SECOND)
    with bench.place.work(bench.now) as work:
        firmware.run(work)
    assert firmware.store.version == SECOND
    bench.take()
    bench.alerts.clear()
    return bench


def running(bench: Bench) -> object:
    return bench.core.server.value("firmware_version")


def test_the_image_before_it_runs_and_the_supplier_is_told(make_bench: MakeBench) -> None:
    bench = updated(make_bench)
    damage_running_image(bench.nvm)
    assert running(bench) == SECOND.hex().upper(), "nobody notices before the next start"
    bench.power_cut()
    assert running(bench) == FIRST.hex().upper()
    assert bench.core.application.security_log.entries[-1].code == events.FIRMWARE_NOT_VERIFIED_AT_POWER_ON
    bench.take()
    assert [alert.detail["code"] for alert in bench.alerts] == ["8F1B"]


def test_a_second_damage_goes_back_to_the_image_it_was_made_with(make_bench: MakeBench) -> None:
    bench = updated(make_bench)
    for expected in (FIRST, MADE_WITH, MADE_WITH):
        damage_running_image(bench.nvm)
        bench.power_cut()
        assert running(bench) == expected.hex().upper()


def test_a_sound_image_says_nothing_at_power_on(make_bench: MakeBench) -> None:
    bench = updated(make_bench)
    bench.power_cut()
    bench.power_cut()
    bench.take()
    assert bench.alerts == []
    assert running(bench) == SECOND.hex().upper()
