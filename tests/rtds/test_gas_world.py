"""The gas meter and the proxy of the published world answer every GBZ use case, whatever a command says."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count

import pytest
from fuzzing import samples

from smetslab.clock import StandingClock
from smetslab.crypto import SharedSecrets
from smetslab.devices.credentials import DeviceKeys
from smetslab.devices.gpf_core import GpfCore
from smetslab.devices.gsme_core import GsmeCore
from smetslab.devices.work import Outgoing, Workplace
from smetslab.gbcs.codes import CounterFamily, Cra, DeviceType, KeyUsage, RemotePartyRole
from smetslab.gbcs.gbz.components import COMPONENTS
from smetslab.gbcs.message import Message, OtherInformation, decode_message, encode_message
from smetslab.gbcs.security import with_mac, with_signature
from smetslab.gbcs.usecases import decode_content, encode_content
from smetslab.gbcs.usecases.gbz import GbzAccess
from smetslab.gbcs.usecases.model import UseCase
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import Parameters, Value
from smetslab.ids import Eui64
from smetslab.pki import Authority, KeyRing
from smetslab.rng import RootSeed
from smetslab.rtds.worlds import gas
from smetslab.rtds.worlds.model import Site
from smetslab.store import Store
from smetslab.trace import Trace

GSME, GPF = Eui64.parse("00DB1234567890A1"), Eui64.parse("00DB1234567890A3")
NOW = datetime(2015, 1, 1, tzinfo=UTC)
BROKER = gas.PARTIES[RemotePartyRole.ACCESS_CONTROL_BROKER]
_NUMBERS = count()

ROWS = [
    (pytest.param(use_case, device_type, id=f"{name}-{device_type.name}"), use_case)
    for name, use_case in USE_CASES.items()
    for device_type in (DeviceType.GSME, DeviceType.GPF)
    if device_type in use_case.devices and isinstance(use_case.payload, GbzAccess)
]
PARTY_ROWS = [row for row, use_case in ROWS if RemotePartyRole.SUPPLIER in use_case.originator_roles]
STRANGER_ROWS = [
    row for row, use_case in ROWS if RemotePartyRole.NETWORK_OPERATOR not in use_case.originator_roles
]
COMMANDS = 8
"""Random ones for each use case and device."""


@pytest.fixture(scope="module")
def ring() -> KeyRing:
    return Authority(RootSeed(5)).keystore((GSME, GPF))


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as store:
        yield store


class World:
    """A gas device of the published world, and its supplier."""

    def __init__(self, ring: KeyRing, store: Store, device_type: DeviceType) -> None:
        self.ring = ring
        self.eui64 = GSME if device_type is DeviceType.GSME else GPF
        self.owner = f"gas/{next(_NUMBERS)}"
        self.store = store
        self.device_type = device_type
        self.secrets = SharedSecrets()
        self.counter = 10_000
        self.power_on()

    def power_on(self) -> None:
        nvm = self.store.nvm(self.owner)
        self.place = Workplace(self.eui64, nvm, Trace(StandingClock(NOW)))
        site = Site(
            eui64=self.eui64,
            ring=self.ring,
            keys=DeviceKeys.from_keystore(self.ring, self.eui64),
            secrets=self.secrets,
            workplace=self.place,
            now=NOW,
            overlays=(),
            alert_counter=None,
        )
        build = gas.build_gsme if self.device_type is DeviceType.GSME else gas.build_gpf
        self.core: GsmeCore | GpfCore = build(site)

    def secret(self, party: Eui64) -> bytes:
        keys = DeviceKeys.from_keystore(self.ring, self.eui64)
        return self.secrets.get(keys.ka, self.ring.find(party, KeyUsage.KEY_AGREEMENT).certificate.public_key)

    def command(self, use_case: UseCase, parameters: Parameters, originator: Eui64) -> bytes:
        self.counter += 1
        high = use_case.counter_family is CounterFamily.UTRN
        message = Message(
            cra=Cra.COMMAND,
            originator_counter=self.counter << 32 if high else self.counter,
            business_originator_id=originator,
            business_target_id=self.eui64,
            other_information=OtherInformation(message_code=use_case.code),
            content=b"",
        )
        message = replace(message, content=encode_content(use_case, message, parameters))
        if use_case.critical:
            key = self.ring.private_key(originator, KeyUsage.DIGITAL_SIGNATURE)
            message = with_signature(message, key)
        return encode_message(with_mac(message, self.secret(BROKER)))

    def send(self, data: bytes) -> list[Outgoing]:
        self.core.receive(data, NOW)
        sent = list(self.place.outbox)
        for one in sent:
            self.place.sent(one)
        return sent

    def components(self, use_case: UseCase, data: bytes) -> list[dict[str, Value]]:
        message = decode_message(data)
        found = decode_content(use_case, message, self.secret(message.business_target_id))[COMPONENTS]
        assert isinstance(found, list)
        return [one for one in found if isinstance(one, dict)]


def some_command(use_case: UseCase, rng: random.Random) -> Parameters:
    """Random parameters, all of one time."""
    payload = use_case.payload
    assert isinstance(payload, GbzAccess)
    times = {row.command.name: row.activation for row in payload.exchanges if row.command is not None}
    when = rng.choice(("immediate", "immediate", "never", "2030-01-15T09:00:00Z"))
    parameters = samples.parameters_of(use_case, Cra.COMMAND, rng)
    components = parameters[COMPONENTS]
    assert isinstance(components, list)
    for component in components:
        assert isinstance(component, dict)
        field = times.get(str(component["command"]))
        if field is not None:
            component[field] = when
    return parameters


def attributes(shown: dict[str, Value]) -> dict[str, Value]:
    found = shown["attributes"]
    assert isinstance(found, dict)
    return found


def requests(parameters: Parameters) -> int:
    found = parameters[COMPONENTS]
    assert isinstance(found, list)
    return len(found)


@pytest.mark.parametrize(("use_case", "device_type"), PARTY_ROWS)
def test_every_command_is_answered_once_in_its_own_form(
    ring: KeyRing, store: Store, use_case: UseCase, device_type: DeviceType
) -> None:
    """Invariant: a response for each accepted command, with an answer to every component."""
    world = World(ring, store, device_type)
    supplier = gas.PARTIES[RemotePartyRole.SUPPLIER]
    rng = random.Random(f"{use_case.name}/{device_type}")
    for _ in range(COMMANDS):
        parameters = some_command(use_case, rng)
        sent = world.send(world.command(use_case, parameters, supplier))
        responses = [one for one in sent if one.event == "ResponseSent"]
        assert len(responses) == 1, [one.detail for one in sent]
        answered = world.components(use_case, responses[0].data)
        assert len(answered) >= requests(parameters)
        assert decode_message(responses[0].data).originator_counter == world.counter << (
            32 if use_case.counter_family is CounterFamily.UTRN else 0
        )


@pytest.mark.parametrize(("use_case", "device_type"), PARTY_ROWS)
def test_what_a_command_has_set_survives_a_power_cut(
    ring: KeyRing,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    use_case: UseCase,
    device_type: DeviceType,
) -> None:
    """Invariants I10 and I18: what a device shows is the same after it was off."""
    world = World(ring, store, device_type)
    supplier = gas.PARTIES[RemotePartyRole.SUPPLIER]
    rng = random.Random(f"power/{use_case.name}/{device_type}")
    for _ in range(COMMANDS):
        parameters = some_command(use_case, rng)
        world.send(world.command(use_case, parameters, supplier))
    before = world.core.inspect(NOW)
    monkeypatch.setattr(gas, "_fill", lambda *_: None)
    world.power_on()
    after = world.core.inspect(NOW)
    if attributes(before).get("metering.supply_depletion_state") == "supply_off":
        # What was set is that the supply goes with the power.
        assert after["supply_causes"] == ["depletion"]
        assert attributes(after).pop("metering.supply_status") == "supply_off"
        del attributes(before)["metering.supply_status"]
        for name in ("supply", "supply_causes", "user_interface"):
            del after[name], before[name]
    assert after == before


@pytest.mark.parametrize(("use_case", "device_type"), STRANGER_ROWS)
def test_a_command_of_somebody_else_is_refused(
    ring: KeyRing, store: Store, use_case: UseCase, device_type: DeviceType
) -> None:
    """A known party whose role may not use the case gets no answer, and nothing changes (I4)."""
    world = World(ring, store, device_type)
    stranger = gas.PARTIES[RemotePartyRole.NETWORK_OPERATOR]
    before = world.core.inspect(NOW)["attributes"]
    rng = random.Random(f"stranger/{use_case.name}/{device_type}")
    parameters = samples.parameters_of(use_case, Cra.COMMAND, rng)
    sent = world.send(world.command(use_case, parameters, stranger))
    assert [one for one in sent if one.event == "ResponseSent"] == []
    assert world.core.inspect(NOW)["attributes"] == before
