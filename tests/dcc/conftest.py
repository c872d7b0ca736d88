"""A DCC on virtual time, a hub, and two small devices behind it that protect what they say as GBCS has it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from smetslab.clock import LoopClock, run_virtual
from smetslab.dcc import DccRules, MockDcc, ServiceUser
from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.codes import Cra, DeviceType, KeyUsage, RemotePartyRole
from smetslab.gbcs.message import Message, OtherInformation, decode_message, encode_message
from smetslab.gbcs.security import verify_mac, with_mac, with_signature
from smetslab.gbcs.usecases.engine import encode_content
from smetslab.gbcs.usecases.model import UseCase
from smetslab.gbcs.usecases.registry import USE_CASES, by_code
from smetslab.gbcs.values import Parameters, date_time_octets
from smetslab.ids import Eui64
from smetslab.pki import Authority, KeyRing
from smetslab.registry import (
    Inventory,
    InventoryDevice,
    KnownParty,
    Responsibility,
    User,
    UserDirectory,
    UserRole,
)
from smetslab.rng import RootSeed
from smetslab.store import Store
from smetslab.trace import Trace
from smetslab.wan import ImageDelivery, InProcessWan, WanMessage

EPOCH = datetime(2026, 3, 1, tzinfo=UTC)
SUPPLIER = Eui64.parse("90B3D51F30010000")
OPERATOR = Eui64.parse("90B3D51F30020000")
STRANGER = Eui64.parse("90B3D51F30030000")
BROKER = Eui64.parse("90B3D51F30000002")
ESME = Eui64.parse("00DB1234567890A0")
HUB = Eui64.parse("00DB1234567890A2")
GSME = Eui64.parse("00DB1234567890A1")

ANSWERS: dict[str, Parameters] = {
    "ECS17a": {
        "active_export_register": 10,
        "active_export_register_scaler_unit": {"scaler": 0, "unit": "Wh"},
        "reactive_export_register": 20,
        "reactive_export_register_scaler_unit": {"scaler": 0, "unit": "varh"},
    },
    "ECS17b": {
        "import_registers": {
            "import_register_collection": {
                "active": 4711,
                "active_scaler_unit": {"scaler": 0, "unit": "Wh"},
                "reactive": 12,
                "reactive_scaler_unit": {"scaler": 0, "unit": "varh"},
            }
        }
    },
    "ECS45": {"supply_state": "Enabled"},
    "ECS52": {"firmware_version": "0123ABCD"},
    "ECS70": {"device_time": "2026-03-01T00:00:00Z", "device_time_status": "reliable"},
}


@dataclass
class Device:
    """What a device needs to answer: keys and a table of answers. It keeps no state and checks no counter."""

    eui64: Eui64
    keys: KeyRing
    answers: dict[str, Parameters] = field(default_factory=lambda: dict(ANSWERS))
    received: list[Message] = field(default_factory=list)
    silent: bool = False
    alert_counter: int = 2000

    def _secret(self, party: Eui64) -> bytes:
        own = self.keys.private_key(self.eui64, KeyUsage.KEY_AGREEMENT)
        return own.exchange(self.keys.find(party, KeyUsage.KEY_AGREEMENT).certificate.public_key)

    def answer(self, octets: bytes) -> bytes | None:
        command = decode_message(octets)
        self.received.append(command)
        if self.silent or not verify_mac(command, self._secret(BROKER)):
            return None
        use_case = by_code(command.message_code)
        if use_case is None:
            return None
        extra = command.other_information
        header = Message(
            cra=Cra.RESPONSE,
            originator_counter=command.originator_counter,
            business_originator_id=self.eui64,
            business_target_id=command.business_originator_id,
            date_time=date_time_octets(EPOCH) if use_case.date_time_in_response else None,
            other_information=replace(extra, key_agreement_certificate=None),
            content=b"",
        )
        party = extra.supplementary_remote_party_id or command.business_originator_id
        parameters = self.answers.get(use_case.name, {})
        content = encode_content(use_case, header, parameters, self._secret(party))
        return self.protect(replace(header, content=content), critical=use_case.critical)

    def protect(self, message: Message, *, critical: bool) -> bytes:
        if critical:
            key = self.keys.private_key(self.eui64, KeyUsage.DIGITAL_SIGNATURE)
            return encode_message(with_signature(message, key))
        return encode_message(with_mac(message, self._secret(message.business_target_id)))

    def alert(
        self,
        use_case: UseCase,
        parameters: Parameters,
        recipient: Eui64 = SUPPLIER,
        on_behalf: Eui64 | None = None,
    ) -> bytes:
        self.alert_counter += 1
        header = Message(
            cra=Cra.ALERT,
            originator_counter=self.alert_counter,
            business_originator_id=self.eui64,
            business_target_id=recipient,
            other_information=OtherInformation(
                message_code=use_case.code, supplementary_remote_party_id=on_behalf
            ),
            content=b"",
        )
        return self.protect(
            replace(header, content=encode_content(use_case, header, parameters)), critical=use_case.critical
        )

    def generic_alert(
        self, code: str, name: str = "GCA", recipient: Eui64 = SUPPLIER, on_behalf: Eui64 | None = None
    ) -> bytes:
        parameters: Parameters = {"alert_code": code, "time_stamp": "2026-03-01T00:00:00Z"}
        return self.alert(USE_CASES[name], parameters, recipient, on_behalf)

    def outcome(self, logical_name: str, counter: int, *, code: str = "8F66", attribute: int = 6) -> bytes:
        """What the device says when it has carried out one item of an ECS28a command."""
        instruction: Parameters = {
            "message_code": "0x0043",
            "originator_counter": counter,
            "class_id": 9000,
            "logical_name": logical_name,
            "attribute": attribute,
        }
        parameters: Parameters = {
            "alert_code": code,
            "time_stamp": "2030-01-15T09:00:00Z",
            "instruction": instruction,
        }
        return self.alert(USE_CASES["FDEI-DLMS"], parameters)


@dataclass
class Hub:
    """Takes commands from the WAN, drops repeats by identity, sends answers up."""

    wan: InProcessWan
    devices: dict[Eui64, Device]
    sent: int = 0
    identities: list[str] = field(default_factory=list)
    images: list[ImageDelivery] = field(default_factory=list)
    on_noise: Callable[[bytes], bytes | None] = field(default=lambda octets: None)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def receive(self, message: WanMessage) -> None:
        if message.identity in self.identities:
            return
        self.identities.append(message.identity)
        if message.kind == "firmware":
            self.images.append(ImageDelivery.decode(message.payload))
            return
        try:
            target = decode_message(message.payload).business_target_id
        except GbcsDecodeError:
            answer = self.on_noise(message.payload)
        else:
            answer = self.devices[target].answer(message.payload)
        if answer is not None:
            task = asyncio.get_running_loop().create_task(self.send(answer))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def send(self, octets: bytes, identity: str | None = None) -> None:
        self.sent += 1
        await self.wan.to_head(WanMessage(identity or f"up-{self.sent}", HUB, octets))


@dataclass
class Bench:
    """Everything of one run. `restart` throws the DCC away and makes one on the same memory."""

    clock: LoopClock
    trace: Trace
    wan: InProcessWan
    store: Store
    keys: KeyRing
    inventory: Inventory
    users: UserDirectory
    hub: Hub
    esme: Device
    rules: DccRules
    dcc: MockDcc
    supplier: ServiceUser
    operator: ServiceUser
    stranger: ServiceUser

    @asynccontextmanager
    async def another(self) -> AsyncIterator[MockDcc]:
        """A new DCC on the memory of the one that has stopped."""
        async with make_dcc(self) as dcc:
            yield dcc

    def events(self, event: str) -> list[dict[str, object]]:
        return [dict(seen.detail) for seen in self.trace.find(layer="dcc", event=event)]


def make_dcc(bench: Bench) -> MockDcc:
    return MockDcc(
        keystore=bench.keys,
        wan=bench.wan,
        clock=bench.clock,
        trace=bench.trace,
        nvm=bench.store.nvm("dcc"),
        inventory=bench.inventory,
        users=bench.users,
        rules=bench.rules,
    )


@pytest.fixture(scope="session")
def keys() -> KeyRing:
    return Authority(RootSeed(7)).keystore([ESME, HUB, GSME])


def _inventory(store: Store) -> Inventory:
    inventory = Inventory(store.nvm("inventory"))
    parties = {
        "responsible": (),
        "known_parties": (
            KnownParty(party=SUPPLIER, role=RemotePartyRole.SUPPLIER),
            KnownParty(party=OPERATOR, role=RemotePartyRole.NETWORK_OPERATOR),
        ),
    }
    supplier = Responsibility(role=UserRole.IMPORT_SUPPLIER, party=SUPPLIER)
    operator = Responsibility(role=UserRole.ELECTRICITY_DISTRIBUTOR, party=OPERATOR)
    parties["responsible"] = (supplier, operator)
    inventory.add(InventoryDevice(device_id=ESME, device_type=DeviceType.ESME, hub=HUB, **parties))
    inventory.add(InventoryDevice(device_id=HUB, device_type=DeviceType.CHF, hub=HUB))
    inventory.add(InventoryDevice(device_id=GSME, device_type=DeviceType.GSME, hub=HUB))
    return inventory


USERS = (
    User(party=SUPPLIER, roles=(UserRole.IMPORT_SUPPLIER, UserRole.EXPORT_SUPPLIER, UserRole.GAS_SUPPLIER)),
    User(party=OPERATOR, roles=(UserRole.ELECTRICITY_DISTRIBUTOR, UserRole.GAS_TRANSPORTER)),
    User(party=STRANGER, roles=(UserRole.OTHER_USER,)),
)

Story = Callable[[Bench], Awaitable[None]]


@pytest.fixture
def play(keys: KeyRing) -> Iterator[Callable[..., Bench]]:
    """Run a story: `play(story, rules=..., duplicate_probability=...)`; the DCC runs while the story does."""

    def run(story: Story, *, rules: DccRules | None = None, **wan_options: float) -> Bench:
        with Store() as store:

            async def main(clock: LoopClock) -> Bench:
                trace = Trace(clock)
                wan = InProcessWan(clock, trace, RootSeed(1), **wan_options)
                esme, chf = Device(ESME, keys), Device(HUB, keys)
                hub = Hub(wan, {ESME: esme, HUB: chf})
                users = UserDirectory(USERS)
                parts = (clock, trace, wan, store, keys, _inventory(store), users, hub, esme)
                bench = Bench(*parts, rules or DccRules(), *[None] * 4)  # type: ignore[arg-type]
                bench.dcc = make_dcc(bench)
                for name, party in (("supplier", SUPPLIER), ("operator", OPERATOR), ("stranger", STRANGER)):
                    setattr(bench, name, ServiceUser(party, keystore=keys, dcc=bench.dcc))
                detach = wan.attach_hub(HUB, hub.receive)
                async with wan, bench.dcc:
                    await story(bench)
                detach()
                return bench

            return run_virtual(main, epoch=EPOCH)

    yield run
