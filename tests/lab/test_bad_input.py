"""A member of the home goes mad: a thousand frames a second under the right keys, layer by layer.

What a stranger sends is in tests/han/stack/test_bad_input.py.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from smetslab.clock import LoopClock, run_virtual
from smetslab.crypto import CcmStar
from smetslab.han.stack.home import RadioHome
from smetslab.han.stack.node import RadioNode
from smetslab.han.view import view_of
from smetslab.ids import Eui64
from smetslab.lab.build import Lab
from smetslab.lab.config import HOME_NAME, LabConfig, load_lab
from smetslab.zigbee.aps import ApsFrame, ApsFrameType
from smetslab.zigbee.mac_layer import MacFrame, MacFrameType
from smetslab.zigbee.nwk import NwkFrame, NwkFrameType
from smetslab.zigbee.security import AuxiliaryHeader, KeyIdentifier

ESME, HUB, MAD = (Eui64.parse(f"00DB1234567890A{last}") for last in "024")
FRAMES = 500
SMART_ENERGY = 0x0109


class Mad:
    """The radio of the mad one, with its keys and counters, and the generator of what it sends."""

    def __init__(self, home: RadioHome, seed: int) -> None:
        self.home = home
        self.node = home.node_of(MAD)
        self.draw = random.Random(seed)
        self._cipher = CcmStar(home.settings.key)
        self._number = 0

    def octets(self, most: int) -> bytes:
        return self.draw.randbytes(self.draw.randrange(most))

    def inject(self, target: RadioNode, kind: NwkFrameType, payload: bytes) -> None:
        """A frame that the network layer of the target opens."""
        self._number = self._number + 1 & 0xFF
        auxiliary = AuxiliaryHeader(KeyIdentifier.NETWORK, self.node.network.counter.next(), MAD, 0)
        own, to = self.node.mac.short_address, target.mac.short_address
        frame = NwkFrame(kind, to, own, self._number, payload, security=auxiliary)
        mac = MacFrame(
            kind=MacFrameType.DATA,
            sequence=self._number,
            destination_pan=self.home.settings.pan,
            destination=to,
            source=own,
            payload=frame.seal(self._cipher),
        )
        self.home.inject(mac.encode(sequence=self._number))

    def aps(self, target: RadioNode, frame: ApsFrame, *, key: bytes | None) -> None:
        """A frame that the APS layer of the target opens."""
        octets = frame.encode()
        if key is not None:
            auxiliary = AuxiliaryHeader(KeyIdentifier.DATA, self.node.aps.counter.next(), None, None)
            octets = frame.seal(CcmStar(key), MAD, auxiliary)
        self.inject(target, NwkFrameType.DATA, octets)


def random_network_payload(mad: Mad, target: RadioNode) -> None:
    mad.inject(target, mad.draw.choice([NwkFrameType.DATA, NwkFrameType.COMMAND]), mad.octets(60))


def random_aps_frame(mad: Mad, target: RadioNode) -> None:
    draw = mad.draw
    kind = draw.choice([ApsFrameType.DATA, ApsFrameType.COMMAND, ApsFrameType.ACKNOWLEDGEMENT])
    addressed = kind is not ApsFrameType.COMMAND
    frame = ApsFrame(
        kind,
        draw.randrange(256),
        mad.octets(40),
        destination_endpoint=draw.randrange(4) if addressed else 0,
        source_endpoint=draw.randrange(4) if addressed else 0,
        cluster=draw.choice([0x0000, 0x0013, 0x0021, 0x0034, 0x0702, 0x0800, 0x070B]) if addressed else None,
        profile=draw.choice([0, SMART_ENERGY]) if addressed else 0,
        ack_request=kind is ApsFrameType.DATA and draw.random() < 0.5,
    )
    key = mad.node.aps.link_keys[target.eui64]
    mad.aps(target, frame, key=draw.choice([key, None]))


def random_zcl_payload(mad: Mad, target: RadioNode) -> None:
    """To a cluster that the target has: octets, or a ZCL header before them."""
    draw = mad.draw
    place = draw.choice(list(target.places.values()))
    payload = mad.octets(40)
    if draw.random() < 0.7:
        payload = bytes((draw.choice([0x00, 0x01, 0x08, 0x09, 0x10, 0x11]), 7, draw.randrange(16))) + payload
    frame = ApsFrame(
        ApsFrameType.DATA,
        draw.randrange(256),
        payload,
        destination_endpoint=place.endpoint,
        source_endpoint=draw.randrange(1, 5),
        cluster=place.cluster,
        profile=place.profile,
    )
    mad.aps(target, frame, key=mad.node.aps.link_keys[target.eui64])


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> LabConfig:
    """The built-in home: its meter, hub and proxy, and a PPMID that is the mad one."""
    head, *devices = load_lab(default=HOME_NAME).source_text.decode().split("[[premises.devices]]")
    kept = [one for one in devices if any(f'name = "{name}"' in one for name in ("esme", "gpf", "ppmid"))]
    path: Path = tmp_path_factory.mktemp("mad") / "home.toml"
    path.write_text("[[premises.devices]]".join([head, *kept]))
    return load_lab(path)


@pytest.mark.parametrize(
    ("flood", "counted"),
    [
        (random_network_payload, {"nwk malformed", "aps malformed"}),
        (random_aps_frame, {"aps malformed", "aps no key"}),
        (random_zcl_payload, set()),
    ],
    ids=["nwk", "aps", "zcl"],
)
def test_a_member_that_sends_a_thousand_frames_a_second_stops_nobody(
    config: LabConfig, flood: Callable[[Mad, RadioNode], None], counted: set[str]
) -> None:
    async def scenario(clock: LoopClock) -> None:
        async with Lab(config) as lab:
            home = lab.hans["home"]
            assert isinstance(home, RadioHome)
            await clock.sleep(5)
            ignored: list[str] = []
            lab.trace.subscribe(
                lambda seen: ignored.append(seen.source) if seen.event == "FrameIgnored" else None
            )
            for target in (home.node_of(ESME), home.hub):
                mad = Mad(home, seed=11)
                before = target.network.counts.received
                for _ in range(FRAMES):
                    flood(mad, target)
                    await clock.sleep(0.001)
                await clock.sleep(10)
                assert target.network.counts.received - before > FRAMES // 4
                assert target.in_network
            shown = {device.eui64: device.refused for device in view_of(home).devices}
            for device in (ESME, HUB):
                assert counted <= set(shown[str(device)]), shown
            if flood is random_zcl_payload:
                assert ignored  # what is no ZCL frame at all; the rest is answered as ZCL has it
            supplier = lab.users["supplier"]
            assert (await supplier.request("4.1.1", ESME)).ok
            assert (await supplier.request("6.31", HUB)).ok

    run_virtual(scenario)
