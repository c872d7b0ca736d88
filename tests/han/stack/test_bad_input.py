"""Any octets on the air: silence, counted by reason. Nothing that a stranger sends stops a network."""

from __future__ import annotations

import random
from dataclasses import asdict

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from smetslab.han.stack.asking import ask
from smetslab.han.stack.rules import UpkeepRules
from smetslab.ids import Eui64
from smetslab.zigbee import nwk, zdo
from smetslab.zigbee.mac_layer import (
    MAX_PSDU,
    MacFrame,
    MacFrameType,
    decode_mac,
    frame_check_sequence,
)
from smetslab.zigbee.nwk import MAX_NWK_OCTETS, NwkFrameType, decode_nwk

QUIET = UpkeepRules(keep_alive_base_minutes=0)


def counts(device) -> dict[str, int]:
    """Everything that a device counts, by layer and reason."""
    node = device.link.node
    layers = {"mac": node.mac.counts, "nwk": node.network.counts, "aps": node.aps.counts}
    return {
        f"{name}.{reason}": number for name, one in layers.items() for reason, number in asdict(one).items()
    }


REASONS = (
    "mac.malformed",
    "mac.bad_check_sequence",
    "mac.repeats",
    "nwk.malformed",
    "nwk.replayed",
    "nwk.wrong_key",
    "nwk.unsecured",
    "aps.malformed",
    "aps.no_key",
    "aps.wrong_key",
    "aps.replayed",
    "aps.lost_fragments",
)


def refused(device) -> int:
    found = counts(device)
    return sum(found[reason] for reason in REASONS)


async def still_works(home, hub, meter) -> bool:
    before = len(meter.payloads), len(hub.payloads)
    await hub.send(meter, b"down")
    await meter.send(hub, bytes(300))
    return (len(meter.payloads), len(hub.payloads)) == (before[0] + 1, before[1] + 1)


def answers(home, start: int) -> list[bytes]:
    """What the devices of the home have sent since, acknowledgements and beacons left out."""
    said = []
    for frame in home.air[start:]:
        if frame.source == home.radio.stranger:
            continue
        mac = decode_mac(frame.octets[:-2])
        if mac.kind not in {MacFrameType.ACKNOWLEDGEMENT, MacFrameType.BEACON}:
            said.append(frame.octets)
    return said


def addressed(payload: bytes, *, pan: int, destination: int, source: int) -> bytes:
    return MacFrame(
        kind=MacFrameType.DATA,
        sequence=0,
        destination_pan=pan,
        destination=destination,
        source=source,
        payload=payload,
    ).encode(sequence=len(payload))


@given(frames=st.lists(st.binary(min_size=1, max_size=MAX_PSDU - 2), min_size=1, max_size=8))
@example(frames=[b"\x61\x88\x01"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_octets_with_a_check_sequence_that_fits_are_met_with_silence(run_home, frames) -> None:
    async def story(home):
        hub, meter = await home.device(1), await home.device(2)
        await home.clock.sleep(1)
        start = len(home.air)
        for octets in frames:
            home.radio.inject(octets)
            await home.clock.sleep(0.05)
        await home.clock.sleep(1)
        silent = answers(home, start) == []
        return silent, await still_works(home, hub, meter), hub.link.node.on_air

    assert run_home(story, upkeep=QUIET) == (True, True, True)


@given(
    payload=st.binary(max_size=100),
    broadcast=st.booleans(),
    control=st.sampled_from([0x0048, 0x0248, 0x0249, 0x0009, 0x0008, 0x0208, 0x1A09]),
)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_network_frame_of_a_stranger_is_met_with_silence_and_counted(
    run_home, payload: bytes, broadcast: bool, control: int
) -> None:
    """From the PAN itself, to the hub or to everybody, secured and not: nobody answers, somebody counts."""

    async def story(home):
        hub, meter = await home.device(1), await home.device(2)
        await home.clock.sleep(1)
        settings_ = hub.link.node.network.settings
        destination = 0xFFFF if broadcast else 0
        header = control.to_bytes(2, "little") + destination.to_bytes(2, "little") + b"\x77\x77\x0a\x05"
        frame = addressed(header + payload, pan=settings_.pan, destination=destination, source=0x7777)
        start, before = len(home.air), counts(hub)
        home.radio.inject(frame)
        await home.clock.sleep(2)
        after = counts(hub)
        changed = {name for name in after if after[name] != before[name]} - {"mac.received", "mac.sent"}
        said = [octets for octets in answers(home, start) if not _is_rejoin_answer(octets)]
        return said, changed, await still_works(home, hub, meter)

    said, changed, works = run_home(story, upkeep=QUIET)
    assert said == []
    assert works
    assert changed  # it is counted as received, malformed, unsecured, or of another key


def _is_rejoin_answer(octets: bytes) -> bool:
    """Who asks to come back is told that it may not: the only answer that a stranger gets."""
    payload = decode_mac(octets[:-2]).payload
    return decode_nwk(payload).payload[:1] == b"\x07" and not payload[1] & 0x02


def test_frames_of_the_network_itself_are_not_taken_again_changed_or_repeated(run_home) -> None:
    """Every frame that was on the air comes again: as it was, with a bit turned, and cut."""

    async def story(home):
        hub, meter = await home.device(1), await home.device(2)
        await hub.send(meter, bytes(200))
        await meter.send(hub, b"answer")
        heard = [frame.octets for frame in home.air]
        draw = random.Random(4)
        before = (list(meter.payloads), list(hub.payloads))
        refusals = refused(hub) + refused(meter)
        for octets in heard:
            for _ in range(3):
                changed = bytearray(octets[:-2])
                changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
                home.radio.inject(bytes(changed))
                await home.clock.sleep(0.02)
            home.radio.inject(octets, check_sequence=False)
            await home.clock.sleep(0.02)
            home.radio.inject(octets[: draw.randrange(1, len(octets))], check_sequence=False)
            await home.clock.sleep(0.02)
        await home.clock.sleep(10)
        same = before == (list(meter.payloads), list(hub.payloads))
        return same, refused(hub) + refused(meter) - refusals, await still_works(home, hub, meter)

    same, refusals, works = run_home(story, upkeep=QUIET)
    assert same
    assert refusals > 40
    assert works


def test_a_thousand_random_frames_a_second_never_stop_the_network(run_home) -> None:
    """As many as the air takes: whoever sends that much jams it, but the network lives, and says why."""

    async def story(home):
        hub, meter, sleeper = await home.device(1), await home.device(2), await home.device(3, sleepy=True)
        draw = random.Random(5)
        pan = hub.link.node.network.settings.pan
        start = home.clock.time()
        for number in range(3000):
            octets = draw.randbytes(draw.randrange(1, 16))
            if number % 2:
                octets = addressed(octets, pan=pan, destination=0, source=draw.randrange(0x10000))
            octets += frame_check_sequence(octets) if number % 3 else draw.randbytes(2)
            home.radio.inject(octets, check_sequence=False)
            await home.clock.sleep(0.001)
        took = home.clock.time() - start
        refusals = refused(hub)
        await home.clock.sleep(5)
        await sleeper.send(hub, b"awake")
        return took, refusals, hub.payloads[-1:], await still_works(home, hub, meter)

    took, refusals, last, works = run_home(story, upkeep=QUIET)
    assert took < 3.1
    assert refusals > 1500
    assert last == [b"awake"]
    assert works


def test_what_is_too_long_to_be_passed_on_is_refused(run_home) -> None:
    """Without a destination the header of the MAC layer is shorter: the rest is longer than a router
    can send."""

    async def story(home):
        hub, meter, other = await home.device(1), await home.device(2), await home.device(3)
        await meter.send(other, b"known")
        await home.clock.sleep(2)
        member = other.link.node.network
        address = meter.link.node.mac.short_address
        around = len(member._octets(member._frame(NwkFrameType.DATA, address, b"")))
        payload = bytes(MAX_NWK_OCTETS + 1 - around)
        octets = member._octets(member._frame(NwkFrameType.DATA, address, payload))
        frame = MacFrame(
            kind=MacFrameType.DATA,
            sequence=0,
            source_pan=member.settings.pan,
            source=member.mac.short_address,
            payload=octets,
        )
        before = counts(hub)["nwk.malformed"]
        home.radio.inject(frame.encode(sequence=200))
        await home.clock.sleep(1)
        return counts(hub)["nwk.malformed"] - before, await still_works(home, hub, meter)

    assert run_home(story, upkeep=QUIET) == (1, True)


def test_a_stranger_of_many_names_is_not_remembered_under_all(run_home) -> None:
    async def story(home):
        hub = await home.device(1)
        pan = hub.link.node.network.settings.pan
        for number in range(600):
            home.radio.inject(
                addressed(number.to_bytes(2), pan=pan, destination=0, source=Eui64(number.to_bytes(8)))
            )
            await home.clock.sleep(0.01)
        return len(hub.link.node.mac._seen)

    assert 0 < run_home(story, upkeep=QUIET) <= 256


def test_a_member_cannot_send_another_away(run_home) -> None:
    """Neither by the network layer nor by the device profile: that is for the hub, and for a parent."""

    async def story(home):
        hub, meter, other = await home.device(1), await home.device(2), await home.device(3)
        await meter.send(other, b"known")
        address, mad = meter.link.node.mac.short_address, other.link.node
        mad.network.command(nwk.LEAVE, address, options=nwk.LEAVE_REQUEST)
        answer = await ask(mad, zdo.LEAVE_REQUEST, address, device=meter.link.eui64, options=0)
        await home.clock.sleep(5)
        status = zdo.ZdoStatus(answer.integer("status"))
        return status, counts(meter)["nwk.not_allowed"], await still_works(home, hub, meter)

    assert run_home(story) == (zdo.ZdoStatus.NOT_AUTHORISED, 1, True)
