"""Upgrades over the air: both sides against each other, with power cuts, haste and wrong images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smetslab.clock import StandingClock
from smetslab.devices.han_frames import HanFrame, HanOutbox
from smetslab.devices.ota_client import OtaClient, Phase, Upgrades
from smetslab.devices.ota_rules import ClientRules, ServerRules
from smetslab.devices.ota_server import Home, OtaServer
from smetslab.devices.work import Workplace
from smetslab.firmware import OtaFile, OtaHeader, Target
from smetslab.ids import Eui64
from smetslab.store import Store
from smetslab.trace import Trace
from smetslab.zigbee.zcl import SERVER_TO_CLIENT, ZclFrame, find_command
from smetslab.zigbee.zcl.clusters.ota import Ota
from smetslab.zigbee.zcl.foundation import (
    ReadAttributes,
    ReadAttributesResponse,
    general_frame,
)

HUB, METER, OTHER = Eui64(b"THE HUB "), Eui64(b"A METER "), Eui64(b"ANOTHER ")
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TARGET = Target(manufacturer_code=0xFFF1, image_type=0x0A01, hardware_version=1)
WAY = timedelta(milliseconds=20)


def image(octets: int = 20_000, *, version: int = 0x00010001, hardware: int = 1, kind: int = 0x0A01) -> bytes:
    content = bytes(place * 7 & 0xFF for place in range(octets))
    header = OtaHeader(
        manufacturer_code=0xFFF1,
        image_type=kind,
        file_version=version,
        minimum_hardware=hardware,
        maximum_hardware=hardware,
    )
    return OtaFile(header=header, manufacturer_image=content).encode()


@dataclass
class Device:
    """A device that fetches. `good`: what it thinks of the image."""

    eui64: Eui64
    home: AirHome
    rules: ClientRules
    good: bool = True
    by_itself: bool = True
    taken: list[bytes] = field(default_factory=list)
    runs: int = 0

    def power_on(self) -> None:
        self.outbox = HanOutbox()
        place = Workplace(self.eui64, self.home.store.nvm(str(self.eui64)), self.home.trace)

        def take(_work: object, octets: bytes) -> bool:
            self.taken.append(octets)
            return self.good

        def activate(_work: object) -> None:
            self.runs += 1

        self.client = OtaClient(
            self.outbox,
            HUB,
            place,
            self.home.now,
            target=TARGET,
            upgrades=Upgrades(take=take, activate=activate, version=lambda: bytes(4)),
            rules=self.rules,
            by_itself=self.by_itself,
        )


class AirHome:
    """A hub and devices; frames take 20 ms, and what `lost` names does not arrive."""

    def __init__(self, store: Store, rules: ServerRules | None = None, *, at_once: bool = False) -> None:
        self.store = store
        self.clock = StandingClock(NOW)
        self.trace = Trace(self.clock)  # type: ignore[arg-type]
        self.rules = rules
        self.at_once = at_once
        self.devices: dict[Eui64, Device] = {}
        self.ended: list[tuple[Eui64, str, str]] = []
        self.lost: Callable[[HanFrame], bool] = lambda _frame: False
        self.carried: list[tuple[datetime, HanFrame]] = []
        self.start_hub()

    @property
    def now(self) -> datetime:
        return self.clock.moment

    def start_hub(self) -> None:
        self.outbox = HanOutbox()
        self.place = Workplace(HUB, self.store.nvm("hub"), self.trace)
        self.server = OtaServer(
            self.outbox,
            self.place,
            Home(
                time=lambda now: now,
                ended=lambda _work, device, version, ending: self.ended.append(
                    (device, version.hex(), ending)
                ),
                at_once=lambda _device: self.at_once,
                sleeps=lambda device: not self.devices[device].by_itself,
            ),
            self.rules,
        )

    def add(self, eui64: Eui64 = METER, *, good: bool = True, by_itself: bool = True, **rules) -> Device:
        device = Device(eui64, self, ClientRules(**rules), good=good, by_itself=by_itself)
        self.devices[eui64] = device
        device.power_on()
        return device

    def offer(self, octets: bytes, *devices: Eui64) -> None:
        with self.place.work(self.now) as work:
            for device in devices or (METER,):
                self.server.offer(work, device, octets)

    def run(self, until: Callable[[], bool] = lambda: False, hours: float = 1) -> None:
        """Let time pass, until something is so or nothing is due before the end."""
        end = self.now + timedelta(hours=hours)
        while not until():
            moved = self._carry()
            due = [one.next_deadline() for one in self._applications()]
            moments = [moment for moment in due if moment is not None]
            if not moved:
                if not moments or min(moments) > end:
                    self.clock.moment = end
                    return
                self.clock.moment = max(self.now, min(moments))
            for application in self._applications():
                deadline = application.next_deadline()
                if deadline is not None and deadline <= self.now:
                    application.tick(self.now)

    def _applications(self) -> list[OtaServer | OtaClient]:
        return [self.server, *(device.client for device in self.devices.values())]

    def _carry(self) -> bool:
        boxes = [(HUB, self.outbox), *((one.eui64, one.outbox) for one in self.devices.values())]
        frames = [(sender, frame) for sender, box in boxes for frame in box.take()]
        if frames:
            self.clock.moment = self.now + WAY
        for sender, frame in frames:
            self.carried.append((self.now, frame))
            if self.lost(frame):
                continue
            arrived = HanFrame(sender, frame.cluster, frame.frame)
            if frame.peer == HUB:
                self.server.receive(arrived, self.now)
            else:
                self.devices[frame.peer].client.receive(arrived, self.now)
        return bool(frames)

    def commands(self, name: str) -> list[HanFrame]:
        found = [(frame, find_command(frame.cluster, frame.frame)) for _, frame in self.carried]
        return [frame for frame, command in found if command is Ota.commands_by_name[name]]


@pytest.fixture
def home(store: Store) -> AirHome:
    return AirHome(store)


def test_an_image_arrives_as_it_was_and_the_hub_knows(home: AirHome) -> None:
    meter, octets = home.add(), image()
    home.offer(octets)
    home.run()
    assert meter.taken == [octets]
    assert home.ended == [(METER, "00010001", "success")]
    assert meter.client.phase is Phase.WAITING  # for CS06
    assert meter.runs == 0
    assert len(home.commands("image_block_request")) == -(-len(octets) // 254)
    assert not home.server.describe()
    assert not home.store.nvm("hub").items("ota/")
    assert not home.store.nvm(str(METER)).items("ota/")


def test_a_device_that_needs_no_command_runs_it_when_the_hub_says_so(store: Store) -> None:
    home = AirHome(store, at_once=True)
    display = home.add()
    home.offer(image())
    home.run()
    assert (display.runs, display.client.phase) == (1, Phase.IDLE)


@pytest.mark.parametrize(
    ("octets", "good", "ending", "taken"),
    [
        (image(600), False, "discarded", 1),
        (image(600, hardware=2), True, "hardware mismatch", 0),
        (image(600, kind=0x0A02), True, "discarded", 0),
        (b"no image at all", True, "discarded", 0),
    ],
    ids=["not good", "other hardware", "other type", "no header"],
)
def test_what_is_not_for_a_device_ends_as_such(
    home: AirHome, octets: bytes, good: bool, ending: str, taken: int
) -> None:
    meter = home.add(good=good)
    home.offer(octets)
    home.run()
    assert [outcome for _, _, outcome in home.ended] == [ending]
    assert (len(meter.taken), meter.runs, meter.client.phase) == (taken, 0, Phase.IDLE)


def test_after_a_power_cut_only_what_was_not_written_is_fetched_again(home: AirHome) -> None:
    meter, octets = home.add(page_octets=1024), image(10_000)
    home.offer(octets)
    home.run(lambda: meter.client.blocks == 30)
    assert meter.client.offset == 30 * 254
    meter.power_on()
    assert meter.client.offset == 7 * 1024
    home.run()
    assert meter.taken == [octets]
    assert meter.client.blocks == -(-(len(octets) - 7 * 1024) // 254)
    assert home.ended == [(METER, "00010001", "success")]


def test_a_power_cut_of_the_hub_costs_nothing_that_was_fetched(home: AirHome) -> None:
    meter, octets = home.add(), image()
    home.offer(octets)
    home.run(lambda: meter.client.blocks == 40)
    home.start_hub()
    home.run()
    assert meter.taken == [octets]
    assert meter.client.blocks == -(-len(octets) // 254)


def test_an_end_that_the_hub_did_not_hear_is_told_again_after_a_power_cut(home: AirHome) -> None:
    meter = home.add()
    home.offer(image(600))
    home.lost = lambda frame: frame.peer == HUB and frame.frame.command == Ota.upgrade_end_request.id
    home.run(lambda: bool(meter.taken), hours=0.1)
    meter.power_on()
    home.lost = lambda _frame: False
    home.run()
    assert len(meter.taken) == 1
    assert home.ended == [(METER, "00010001", "success")]


@pytest.mark.parametrize("at_once", [False, True])
def test_a_device_decides_for_itself_when_nobody_hears_its_end(store: Store, at_once: bool) -> None:
    home = AirHome(store, at_once=at_once)
    meter = home.add()
    home.offer(image(600))
    home.lost = lambda frame: frame.peer != HUB and frame.frame.command == Ota.upgrade_end_response.id
    home.run()
    assert meter.runs == 1  # what that means for a meter that needs CS06, its firmware rules know
    assert len(home.commands("upgrade_end_request")) == 3


def test_who_is_too_fast_is_told_how_slow_to_be(store: Store) -> None:
    home = AirHome(store, ServerRules(minimum_block_period_ms=500))
    meter, octets = home.add(), image(5_000)
    home.offer(octets)
    home.run()
    assert meter.taken == [octets]
    answers = [
        (moment, Ota.image_block_response.decode(frame.frame.payload))
        for moment, frame in home.carried
        if find_command(frame.cluster, frame.frame) is Ota.image_block_response
    ]
    assert [record.integer("status") for _, record in answers[:2]] == [0x00, 0x97]
    blocks = [moment for moment, record in answers if record.integer("status") == 0]
    gaps = [later - earlier for earlier, later in pairwise(blocks)]
    assert min(gaps) >= timedelta(milliseconds=500)
    last = Ota.image_block_request.decode(home.commands("image_block_request")[-1].frame.payload)
    assert last["conditions"].integer("minimum_block_period") == 500  # type: ignore[union-attr]


def test_only_so_many_devices_fetch_at_a_time(store: Store) -> None:
    home = AirHome(store, ServerRules(most_transfers=1))
    first, second, octets = home.add(), home.add(OTHER), image(5_000)
    home.offer(octets, METER, OTHER)
    home.run(lambda: len(home.ended) == 1)
    assert (first.client.blocks, second.client.blocks) == (20, 0)
    home.run()
    assert first.taken == second.taken == [octets]
    assert home.store.nvm("hub").items("ota/") == []


def test_a_sleeper_fetches_only_while_it_is_awake(home: AirHome) -> None:
    meter, octets = home.add(by_itself=False), image()
    home.offer(octets)
    home.run(hours=0.5)
    assert home.carried == []
    assert home.server.pending(METER)
    assert meter.client.wake(home.now, wanted=True)
    home.run(lambda: meter.client.blocks == 10)
    meter.client.sleep()
    home.run(hours=0.5)
    assert meter.client.blocks in {10, 11}
    assert meter.client.wake(home.now)  # the transfer is under way, whatever the hub says
    home.run()
    assert meter.taken == [octets]


def test_who_does_not_come_for_an_image_is_told_again_and_in_the_end_does_not_get_it(home: AirHome) -> None:
    home.add()
    home.lost = lambda _frame: True
    home.offer(image())
    home.run(hours=73)
    assert home.ended == [(METER, "00010001", "failed")]
    assert len(home.commands("image_notify")) == 72 * 4


def test_a_new_image_takes_the_place_of_one_that_is_under_way(home: AirHome) -> None:
    meter, newer = home.add(), image(8_000, version=0x00010002)
    home.offer(image())
    home.run(lambda: meter.client.blocks == 20)
    home.offer(newer)
    home.run()
    assert meter.taken == [newer]
    assert home.ended == [(METER, "00010002", "success")]


def test_a_device_shows_how_far_it_is(home: AirHome) -> None:
    meter = home.add()
    home.offer(image())
    home.run(lambda: meter.client.blocks == 5)
    wanted = (Ota.file_offset, Ota.image_upgrade_status, Ota.upgrade_server_id)
    asked = ReadAttributes(tuple(attribute.id for attribute in wanted))
    meter.outbox.take()
    frame = general_frame(asked, direction=SERVER_TO_CLIENT, sequence=9)
    meter.client.receive(HanFrame(HUB, Ota.id, frame), home.now)
    (answered,) = meter.outbox.take()
    results = ReadAttributesResponse.decode(answered.frame.payload).results
    assert [result.value for result in results] == [5 * 254, 1, HUB]
    assert not answered.frame.server_to_client


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_octets_bring_either_side_down(data: st.DataObject) -> None:
    with Store() as store:
        home = AirHome(store)
        meter = home.add()
        home.offer(image(2_000))
        home.run(lambda: meter.client.blocks == 2)
        command = data.draw(st.sampled_from(list(Ota.commands.values())))
        from_hub = command.direction is SERVER_TO_CLIENT
        content = ZclFrame(
            cluster_specific=True,
            server_to_client=from_hub,
            sequence=1,
            command=command.id,
            payload=data.draw(st.binary(max_size=40)),
        )
        if from_hub:
            meter.client.receive(HanFrame(HUB, Ota.id, content), home.now)
        else:
            home.server.receive(HanFrame(METER, Ota.id, content), home.now)
        home.run()
        assert meter.client.phase in {Phase.WAITING, Phase.IDLE, Phase.COUNTING}
