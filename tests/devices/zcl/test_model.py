"""The declared model: what it derives from use cases, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from smetslab.clock import StandingClock
from smetslab.devices.gas_model import EFFECTS, GPF_MODEL, GSME_MODEL
from smetslab.devices.work import Workplace
from smetslab.devices.zcl.memory import ZclMemory
from smetslab.devices.zcl.model import Effect, ZclBindings, ZclModel
from smetslab.errors import RegistryError, UsageError
from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.gbcs.usecases.gbz import GbzAccess
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.ids import Eui64
from smetslab.store import Nvm, Store
from smetslab.trace import Trace
from smetslab.zigbee.zcl.clusters.price import Price

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
METER = Eui64.parse("00DB1234567890A1")
MODELS = (GSME_MODEL, GPF_MODEL)


@pytest.fixture
def nvm() -> Iterator[Nvm]:
    with Store() as store:
        yield store.nvm("meter")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.device_type.name)
def test_every_gbz_use_case_of_a_device_is_supported(model: ZclModel) -> None:
    for use_case in USE_CASES.values():
        theirs = isinstance(use_case.payload, GbzAccess) and model.device_type in use_case.devices
        assert model.supports(use_case) is theirs


def test_rights_follow_from_the_use_cases() -> None:
    supplier_only = USE_CASES["GCS60"].payload
    shared = USE_CASES["GCS13a"].payload
    assert isinstance(supplier_only, GbzAccess)
    assert isinstance(shared, GbzAccess)
    assert all(GSME_MODEL.allows(RemotePartyRole.SUPPLIER, row) for row in supplier_only.exchanges)
    assert not all(
        GSME_MODEL.allows(RemotePartyRole.NETWORK_OPERATOR, row) for row in supplier_only.exchanges
    )
    for role in USE_CASES["GCS13a"].originator_roles:
        assert all(GSME_MODEL.allows(role, row) for row in shared.exchanges)


def test_a_command_without_an_effect_is_no_declaration() -> None:
    effects = {
        command: effect for command, effect in EFFECTS.items() if command is not Price.publish_calorific_value
    }
    with pytest.raises(RegistryError, match="publish_calorific_value of GCS23"):
        ZclModel(DeviceType.GSME, USE_CASES.values(), effects, initial={})


def test_what_is_declared_must_be_bound() -> None:
    use_cases = [USE_CASES["GCS21a"]]
    with pytest.raises(RegistryError, match="has no value and is not bound"):
        ZclModel(DeviceType.GSME, use_cases, {}, initial={}).bound(ZclBindings())
    effects = {Price.publish_calorific_value: Effect(calls="nothing")}
    with pytest.raises(RegistryError, match="handler nothing"):
        ZclModel(DeviceType.GSME, [], effects, initial={}).bound(ZclBindings())


def small_model() -> ZclModel:
    return ZclModel(DeviceType.GSME, [], {}, initial={Price.standing_charge: 5, Price.calorific_value: 390})


@pytest.mark.parametrize(
    "state",
    [{"price.no_such_thing": 1}, {"price.standing_charge": "much"}, {"price.standing_charge": -1}],
)
def test_a_state_that_does_not_fit_is_refused(nvm: Nvm, state: dict[str, int | str]) -> None:
    with pytest.raises(UsageError, match="price"):
        ZclMemory(small_model(), nvm, {}, state)


def test_memory_keeps_what_was_put_and_nothing_that_was_not_committed(nvm: Nvm) -> None:
    model = small_model()
    place = Workplace(METER, nvm, Trace(StandingClock(NOW)))
    memory = ZclMemory(model, nvm, {}, {"price.standing_charge": 7})
    assert memory.number(Price.standing_charge) == 7
    with place.work(NOW) as work:
        memory.put(work, Price.standing_charge, 9)
        memory.keep(work, "message", {"text": "hello"})
    again = ZclMemory(model, nvm, {}, {"price.standing_charge": 7})
    assert again.number(Price.standing_charge) == 9
    assert again.document("message") == {"text": "hello"}
    assert again.number(Price.calorific_value) == 390


def test_a_computed_attribute_that_is_given_a_state_is_pinned(nvm: Nvm) -> None:
    computed = {Price.standing_charge: lambda _now: 1}
    assert ZclMemory(small_model(), nvm, computed).get(Price.standing_charge, NOW) == 1
    pinned = ZclMemory(small_model(), nvm, computed, {"price.standing_charge": 2})
    assert pinned.get(Price.standing_charge, NOW) == 2
