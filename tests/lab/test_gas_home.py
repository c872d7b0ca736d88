"""A home with gas: a meter that sleeps, its proxy in the hub, and a supplier at the other end of the DCC."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Literal, cast

import pytest

from smetslab.clock import LoopClock, run_virtual
from smetslab.crypto import SharedSecrets
from smetslab.dcc.service_user import ServiceResponse
from smetslab.devices.faults import inject
from smetslab.devices.gpf import GasProxy
from smetslab.devices.gsme import Gsme
from smetslab.gbcs.codes import CellUsage, KeyUsage
from smetslab.gbcs.utrn import ValueClass, build_utrn
from smetslab.han.air.impair import Impairment
from smetslab.han.stack.home import RadioHome
from smetslab.ids import Eui64
from smetslab.lab.build import Lab
from smetslab.lab.config import LabConfig, load_lab
from smetslab.trace import Observation
from smetslab.zigbee.zcl.clusters.tunnelling import Tunnelling

GSME, GPF, HUB = (Eui64.parse(f"00DB1234567890{last}") for last in ("A1", "A3", "A2"))

HOME = """
[[premises]]
name = "home"

[premises.hub]
profile = "chf-reference"
eui64 = "00-DB-12-34-56-78-90-A2"

[[premises.devices]]
name = "gas-meter"
profile = "gsme-prepayment"
eui64 = "00-DB-12-34-56-78-90-A1"
load_seed = 5

[premises.devices.state]
meter_balance_millipence = 150000
"price.tier_1_block_1_price" = 7000
"price.standing_charge" = 30000

[[premises.devices]]
name = "gas-proxy"
profile = "gpf-reference"
eui64 = "00-DB-12-34-56-78-90-A3"
"""


def write_config(folder: Path, *, kind: str = "radio") -> LabConfig:
    default = load_lab().source_text.decode()
    head = default[: default.index("[[premises]]")]
    head = head.replace('kind = "radio"', f'kind = "{kind}"', 1)
    path = folder / "gas.toml"
    path.write_text(head + HOME)
    return load_lab(path)


@pytest.fixture
def config(tmp_path: Path) -> LabConfig:
    return write_config(tmp_path)


def gas_meter(lab: Lab) -> Gsme:
    meter = lab.devices[GSME]
    assert isinstance(meter, Gsme)
    return meter


def proxy(lab: Lab) -> GasProxy:
    device = lab.devices[GPF]
    assert isinstance(device, GasProxy)
    return device


def balance(lab: Lab) -> int:
    account = gas_meter(lab).inspect()["account"]
    assert isinstance(account, dict)
    value = account["meter_balance"]
    assert isinstance(value, int)
    return value


def credit(answer: ServiceResponse) -> int:
    """The meter balance in a response to 4.18."""
    components = cast("list[dict[str, dict[str, int]]]", answer.parameters["components"])
    return components[1]["attributes"]["credit_remaining"]


def token(lab: Lab, pounds: int, number: int) -> str:
    supplier = lab.users["supplier"].party
    secret = SharedSecrets().get(
        lab.keystore.private_key(supplier, KeyUsage.KEY_AGREEMENT, CellUsage.PREPAYMENT_TOP_UP),
        lab.keystore.find(GSME, KeyUsage.KEY_AGREEMENT).certificate.public_key,
    )
    return build_utrn(
        counter=number << 32,
        value_class=ValueClass.POUNDS,
        value=pounds,
        secret=secret,
        supplier=supplier,
        device=GSME,
    ).digits


def test_the_proxy_shows_what_the_meter_has_reported(config: LabConfig) -> None:
    async def scenario(clock: LoopClock) -> None:
        async with Lab(config) as lab:
            await lab.clock.sleep(3 * 3600)
            assert gas_meter(lab).wakings in {6, 7}
            meter, mirror = (device.inspect()["attributes"] for device in (gas_meter(lab), proxy(lab)))
            assert isinstance(meter, dict)
            assert isinstance(mirror, dict)
            volume = mirror["metering.current_summation_delivered"]
            assert isinstance(volume, int)
            assert volume > 1234567
            assert mirror["metering.site_id"] == "1000999888"
            for name in (
                "price.standing_charge",
                "prepayment.emergency_credit_limit",
                "metering.supply_status",
            ):
                assert mirror[name] == meter[name]

    run_virtual(scenario)


def test_a_read_of_the_proxy_is_answered_at_once_and_one_of_the_meter_when_it_wakes(
    config: LabConfig,
) -> None:
    async def scenario(clock: LoopClock) -> None:
        async with Lab(config) as lab:
            await lab.clock.sleep(3600)
            supplier = lab.users["supplier"]
            asked = lab.clock.time()
            shown = await supplier.request("4.18", GPF)
            assert shown.ok
            assert lab.clock.time() - asked < 5
            asked = lab.clock.time()
            told = await supplier.request("4.18", GSME)
            assert told.ok
            assert 5 < lab.clock.time() - asked <= 1830
            assert credit(told) < credit(shown)  # the meter has burnt gas while it was waited for

    run_virtual(scenario)


def test_without_credit_the_valve_closes_and_a_top_up_arms_it(config: LabConfig) -> None:
    """A cold day burns the credit; emergency credit and a code bring the gas back, by hand."""

    async def scenario(clock: LoopClock) -> None:
        async with Lab(config) as lab:
            meter = gas_meter(lab)
            await lab.clock.sleep(24 * 3600)
            assert meter.inspect()["supply"] == "Disabled"
            assert not meter.open_valve()
            assert balance(lab) <= 0
            answer = await lab.users["supplier"].request("2.5", GSME)
            assert answer.ok
            assert meter.inspect()["supply"] == "Armed"
            assert meter.open_valve()
            await lab.clock.sleep(140)
            assert meter.inspect()["supply"] == "Enabled"
            assert meter.enter_code(token(lab, 20, 7)) == 2_000_000
            assert meter.enter_code(token(lab, 20, 7)).words == "already used"  # type: ignore[union-attr]
            assert balance(lab) > 500_000
            await lab.clock.sleep(5)
            codes = [seen.detail["code"] for seen in lab.trace.find(layer="device", event="AlertSent")]
            for code in ("8F0F", "81AB", "8119", "8F32", "810E"):
                assert code in codes

    run_virtual(scenario)


def test_a_command_for_a_meter_without_power_is_thrown_away_after_a_day(config: LabConfig) -> None:
    async def scenario(clock: LoopClock) -> None:
        async with Lab(config) as lab:
            await lab.clock.sleep(60)
            await gas_meter(lab).power_cut()
            answer = await lab.users["supplier"].request("6.2.7", GSME)
            assert not answer.ok
            await lab.clock.sleep(25 * 3600)
            dropped = [
                seen.detail["reason"]
                for seen in lab.trace.find(layer="device", event="MessageDropped")
                if seen.source == str(HUB)
            ]
            assert dropped == ["not-fetched"]
            await gas_meter(lab).power_restore()
            assert (await lab.users["supplier"].request("6.2.7", GSME)).ok

    run_virtual(scenario)


def test_a_code_passes_through_the_dcc(config: LabConfig) -> None:
    async def scenario(clock: LoopClock) -> None:
        async with Lab(config) as lab:
            await lab.clock.sleep(60)
            before = balance(lab)
            digits = token(lab, 10, 3)
            answer = await lab.users["supplier"].request("2.2", GSME, {"UTRN": digits}, counter=3 << 32)
            assert answer.ok
            assert balance(lab) > before
            assert lab.clock.now() < config.epoch + timedelta(hours=1)

    run_virtual(scenario)


def test_a_meter_that_the_hub_was_only_told_of_shows_itself_by_fetching(tmp_path: Path) -> None:
    """A device that was put on the log by its identifier has no type yet: it is served once it asks.

    On direct links: over the air a meter that was taken off the log has left the network.
    """
    config = write_config(tmp_path, kind="direct")

    async def scenario(clock: LoopClock) -> None:
        async with Lab(config) as lab:
            await lab.clock.sleep(60)
            hub = lab.hubs[HUB]
            hub.device_log.remove(GSME)
            await lab.clock.sleep(1)
            hub.device_log.add(GSME, None)
            gas_meter(lab).press_button()
            await lab.clock.sleep(60)
            assert (await lab.users["supplier"].request("6.2.7", GSME)).ok

    run_virtual(scenario)


def test_faults_happen_to_a_gas_meter(config: LabConfig) -> None:
    async def scenario(clock: LoopClock) -> None:
        async with Lab(config) as lab:
            await lab.clock.sleep(60)
            meter = gas_meter(lab)
            await inject(meter, "clock-drift", seconds=7200)
            await inject(meter, "tamper", kind="magnet")
            for kind in ("air", "reverse", "excess", "uncontrolled", "none"):
                await inject(meter, "gas-flow", kind=kind)
            await inject(meter, "switch-failure", fails="disconnect")
            await inject(meter, "clock-loss")
            await inject(meter, "hardware-fault", item=0)
            answer = await lab.users["supplier"].request("6.2.7", GSME)
            assert not answer.ok
            await inject(proxy(lab), "hardware-fault", item=0)
            assert not (await lab.users["supplier"].request("4.18", GPF)).ok
            codes = {seen.detail["code"] for seen in lab.trace.find(layer="device", event="AlertSent")}
            assert {"81B4", "81B5", "81B6"} <= codes
            assert meter.inspect()["clock"]["status"] == "invalid"  # type: ignore[index,call-overload]

    run_virtual(scenario)


def test_a_gas_home_on_the_air(tmp_path: Path) -> None:
    """The meter's receiver sleeps; the proxy shares the radio of its hub."""
    config = write_config(tmp_path)

    async def scenario(clock: LoopClock) -> None:
        async with Lab(config) as lab:
            await lab.clock.sleep(3700)
            supplier = lab.users["supplier"]
            shown = await supplier.request("4.18", GPF)
            assert credit(shown) < 150_000
            told = await supplier.request("4.18", GSME)
            assert told.ok
            assert credit(told) < credit(shown)

    run_virtual(scenario)


@pytest.mark.parametrize("lost", ["answer", "acknowledgement"])
def test_what_the_meter_fetches_is_given_again_until_it_has_it_and_done_once(
    config: LabConfig, lost: Literal["answer", "acknowledgement"]
) -> None:
    """Answers of the hub are lost at first, or the meter's acknowledgements of them."""
    way = {"source": HUB, "target": GSME} if lost == "answer" else {"source": GSME, "target": HUB}

    async def scenario(clock: LoopClock) -> None:
        async with Lab(config) as lab:
            home = lab.hans["home"]
            assert isinstance(home, RadioHome)
            met: Counter[str] = Counter()

            def watch(seen: Observation) -> None:
                met[f"{seen.event} {seen.detail.get('reason', '')}".strip()] += 1
                begins = seen.event == ("MessageRelayed" if lost == "answer" else "FrameDelivered")
                tunnelled = seen.detail.get("cluster", Tunnelling.id) == Tunnelling.id
                if begins and tunnelled and seen.target == str(GSME) and met["MessageKept"] == 0:
                    home.impair(Impairment(kind="drop", layer="aps", share=1, **way))
                elif seen.event == "MessageKept":
                    home.repair()

            await lab.clock.sleep(60)
            lab.trace.subscribe(watch)
            answer = await lab.users["supplier"].request(
                "1.5", GSME, {"PrepaymentMode": {"AdjustMeterBalance": 10}}
            )
            assert answer.ok
            await lab.clock.sleep(1800)
            assert met["MessageKept"] >= 1
            assert met["CommandExecuted"] == 1
            assert met["MessageDropped repeat"] == (1 if lost == "acknowledgement" else 0)

    run_virtual(scenario)
