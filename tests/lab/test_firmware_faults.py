"""Damaged firmware in a whole home."""

from __future__ import annotations

from smetslab.clock import run_virtual
from smetslab.devices.faults import FAULTS, inject
from smetslab.gbcs.codes import DeviceType
from smetslab.lab.build import Lab
from smetslab.lab.config import HOME_NAME, HanConfig, load_lab


def test_every_device_with_firmware_tells_of_a_damaged_image_when_it_starts() -> None:
    async def damage() -> tuple[set[DeviceType], set[str], set[str]]:
        config = load_lab(default=HOME_NAME).model_copy(update={"han": HanConfig(kind="direct")})
        async with Lab(config) as lab:
            members = {**lab.hubs, **lab.devices}
            hurt = {
                eui64: device
                for eui64, device in members.items()
                if "firmware-corruption" in device.fault_handlers()
            }
            for device in hurt.values():
                await inject(device, "firmware-corruption")
            await lab.clock.sleep(3_600)
            told = {
                seen.source
                for seen in lab.trace.find(layer="device", event="AlertSent")
                if seen.detail["code"] == "8F1B"
            }
            kinds = {device.device_type for device in hurt.values()}
            return kinds, {str(eui64) for eui64 in hurt}, told

    kinds, hurt, told = run_virtual(damage())
    assert kinds == set(FAULTS["firmware-corruption"].devices)
    assert told == hurt
