"""The meter of the published world answers every DLMS use case of an ESME, also those without a vector."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count

import pytest

from smetslab.clock import StandingClock
from smetslab.crypto import SharedSecrets
from smetslab.devices.credentials import DeviceKeys
from smetslab.devices.esme_core import EsmeCore
from smetslab.devices.payload_engine import Fault
from smetslab.devices.work import Workplace
from smetslab.gbcs.codes import Cra, DeviceType, KeyUsage, RemotePartyRole
from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.apdu import AccessResponse, Choice, decode_apdu
from smetslab.gbcs.message import Message, OtherInformation, decode_message, encode_message
from smetslab.gbcs.security import with_mac, with_signature
from smetslab.gbcs.usecases import decode_content, encode_content
from smetslab.gbcs.usecases.dlms import AccessItem, DlmsAccess
from smetslab.gbcs.usecases.model import UseCase
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import Parameters, Value
from smetslab.ids import Eui64
from smetslab.pki import Authority, KeyRing
from smetslab.rng import RootSeed
from smetslab.rtds.rules import circumstances
from smetslab.rtds.worlds import esme
from smetslab.rtds.worlds.model import Site
from smetslab.store import Store
from smetslab.trace import Trace

ESME = Eui64.parse("00DB1234567890A0")
_NUMBERS = count()
NOW = datetime(2015, 1, 1, tzinfo=UTC)
BROKER = esme.PARTIES[RemotePartyRole.ACCESS_CONTROL_BROKER]
WINDOW: Value = {"start_date_time": "2014-10-01T00:00:00Z", "end_date_time": "2015-01-01T00:00:00Z"}

DLMS = {
    name: use_case
    for name, use_case in USE_CASES.items()
    if DeviceType.ESME in use_case.devices and isinstance(use_case.payload, DlmsAccess) and name != "CS01a"
}

COMMANDS: dict[str, Parameters] = {
    "ECS47": {"auxiliary_controller_command": {"slot": 3, "action": "activate"}},
    "ECS47a": {
        "auxiliary_controller_2_setting_period_start_date_time": "2015-01-01T00:00:00Z",
        "auxiliary_controller_2_setting_period_end_date_time": "2015-01-02T00:00:00Z",
        "auxiliary_controller_command": {"direction": "output", "slot": 2, "level": 100},
    },
    "ECS47e": {
        "auxiliary_controller_3_limit_period_start_date_time": "2015-01-01T00:00:00Z",
        "auxiliary_controller_3_limit_period_end_date_time": "2015-01-02T00:00:00Z",
        "auxiliary_proportional_controller_command": {"direction": "input", "slot": 3, "level": 50},
    },
    "ECS70": {
        "validity_interval": {
            "validity_interval_start": "2014-12-31T23:00:00Z",
            "validity_interval_end": "2015-01-01T01:00:00Z",
        }
    },
    "ECS46a": {"auxiliary_controller_1_description": "Immersion heater"},
    "ECS62": {"boost_function_control_1": False},
    "ECS57": {"maximum_demand_active_energy_import_reset": None},
}


@pytest.fixture(scope="module")
def ring() -> KeyRing:
    return Authority(RootSeed(5)).keystore((ESME,))


class World:
    """A meter of the published world and somebody who sends it commands."""

    def __init__(self, ring: KeyRing, store: Store, use_case: UseCase, *, twin: bool) -> None:
        self.ring = ring
        self.use_case = use_case
        scenario = f"9.9_{use_case.name}/{use_case.name}_9.9_{'TWIN_' if twin else ''}SUCCESS"
        told = circumstances(scenario, esme.RULES)
        self.place = Workplace(ESME, store.nvm(f"meter/{next(_NUMBERS)}"), Trace(StandingClock(NOW)))
        self.keys = DeviceKeys.from_keystore(ring, ESME)
        self.secrets = SharedSecrets()
        site = Site(
            eui64=ESME,
            ring=ring,
            keys=self.keys,
            secrets=self.secrets,
            workplace=self.place,
            now=NOW,
            overlays=told.overlays,
            alert_counter=None,
        )
        self.core: EsmeCore = esme.build(site)

    def secret(self, party: Eui64) -> bytes:
        public = self.ring.find(party, KeyUsage.KEY_AGREEMENT).certificate.public_key
        return self.secrets.get(self.keys.ka, public)

    def parameters(self, at: str) -> Parameters:
        """What the command needs: the values that the meter holds, or those of `COMMANDS`."""
        given = COMMANDS.get(self.use_case.name)
        if given is not None:
            return given
        payload = self.use_case.payload
        assert isinstance(payload, DlmsAccess)
        found: Parameters = {}
        for item in payload.items:
            if item.optional:
                continue
            if item.activation:
                found[item.name] = at
            elif item.choice is Choice.SET:
                found |= self._held(item)
            elif item.choice is Choice.ACTION and item.name.endswith("_adjustment"):
                found[item.name] = -1000
            elif item.choice is Choice.GET_WITH_SELECTION:
                found[item.selection_name] = WINDOW
            elif item.protected is not None and any(one.window for one in item.protected.objects):
                found[item.name] = WINDOW
        return {name: found[name] for name in payload.command_parameters if name in found}

    def _held(self, item: AccessItem) -> Parameters:
        assert item.command is not None
        data = self.core.server.data_at((item.class_id, item.obis.raw, item.index))
        value = item.command.decode(data, item.name)
        return {} if value is None else {item.name: value}

    def ask(self, role: RemotePartyRole, at: str = "immediate") -> tuple[Message, AccessResponse]:
        originator = esme.PARTIES[role]
        header = Message(
            cra=Cra.COMMAND,
            originator_counter=1,
            business_originator_id=originator,
            business_target_id=ESME,
            other_information=OtherInformation(message_code=self.use_case.code),
            content=b"",
        )
        message = replace(header, content=encode_content(self.use_case, header, self.parameters(at)))
        if self.use_case.critical:
            message = with_signature(message, self.ring.private_key(originator, KeyUsage.DIGITAL_SIGNATURE))
        self.core.receive(encode_message(with_mac(message, self.secret(BROKER))), NOW)
        sent = [one.data for one in self.place.outbox if one.event == "ResponseSent"]
        assert len(sent) == 1, [one.detail for one in self.place.outbox]
        response = decode_message(sent[0])
        apdu = decode_apdu(response.content)
        assert isinstance(apdu, AccessResponse)
        return response, apdu


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with Store() as opened:
        yield opened


def role_of(use_case: UseCase) -> RemotePartyRole:
    return next(role for role in use_case.originator_roles if role in esme.PARTIES)


TWIN = ("ECS17b", "ECS17c", "ECS17d", "ECS20b", "ECS20c", "ECS21a", "ECS22b", "ECS26a", "ECS40")


@pytest.mark.parametrize(
    ("name", "twin"), [*((name, False) for name in DLMS), *((name, True) for name in TWIN)]
)
def test_every_use_case_succeeds_and_answers_in_its_shape(
    ring: KeyRing, store: Store, name: str, twin: bool
) -> None:
    world = World(ring, store, DLMS[name], twin=twin)
    role = role_of(DLMS[name])
    response, apdu = world.ask(role)
    assert [int(result.result) for result in apdu.results] == [0] * len(apdu.results)
    values = decode_content(DLMS[name], response, world.secret(esme.PARTIES[role]))
    payload = DLMS[name].payload
    assert isinstance(payload, DlmsAccess)
    for item in payload.items:
        if item.response is not None and not item.optional:
            assert values[item.name] is not None
    assert (response.date_time is not None) == DLMS[name].date_time_in_response


@pytest.mark.parametrize("name", [name for name, use_case in DLMS.items() if use_case.payload.activations])
def test_a_dated_command_is_told_for_each_activation(ring: KeyRing, store: Store, name: str) -> None:
    world = World(ring, store, DLMS[name], twin=False)
    world.ask(role_of(DLMS[name]), "2030-01-15T09:00:00Z")
    due = world.core.application.next_deadline()
    assert due == datetime(2030, 1, 15, 9, tzinfo=UTC)
    world.core.application.tick(due)
    alerts = [decode_message(one.data) for one in world.place.outbox if one.event == "AlertSent"]
    payload = DLMS[name].payload
    assert isinstance(payload, DlmsAccess)
    wanted = [(item.class_id, item.obis, item.index) for item in payload.items if item.activation]
    told = [decode_content(USE_CASES["FDEI-DLMS"], alert)["instruction"] for alert in alerts]
    assert [
        (one["class_id"], one["logical_name"], one["attribute"]) for one in told if isinstance(one, dict)
    ] == [(class_id, str(obis), index) for class_id, obis, index in wanted]


@pytest.mark.parametrize("name", [name for name, use_case in DLMS.items() if use_case.payload.activations])
def test_a_cancellation_leaves_nothing_to_do(ring: KeyRing, store: Store, name: str) -> None:
    world = World(ring, store, DLMS[name], twin=False)
    _, apdu = world.ask(role_of(DLMS[name]), "never")
    assert {int(result.result) for result in apdu.results} == {0}
    assert world.core.application.next_deadline() is None


@pytest.mark.parametrize(
    "name", ["ECS01a", "ECS08a", "ECS17e", "ECS22b", "ECS28b", "ECS35a", "ECS61a", "ECS70"]
)
def test_a_failing_item_ends_the_list(ring: KeyRing, store: Store, name: str) -> None:
    world = World(ring, store, DLMS[name], twin=False)
    world.core.application.command_fault = Fault(0)
    _, apdu = world.ask(role_of(DLMS[name]))
    results = [int(result.result) for result in apdu.results]
    assert results == [1] + [250] * (len(results) - 1)
    assert all(data == axdr.null() for data in apdu.data)
