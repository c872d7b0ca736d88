"""The table of the valve, row by row where it matters, and a valve that is broken."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from smetslab.clock import StandingClock
from smetslab.devices import events
from smetslab.devices.supply import SwitchFault
from smetslab.devices.valve import TABLE, Cause, FlowCheck, Valve, ValveEvent, ValveState
from smetslab.devices.work import Workplace
from smetslab.ids import Eui64
from smetslab.store import Nvm, Store
from smetslab.trace import Trace

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
METER = Eui64.parse("00DB1234567890A1")


@pytest.fixture
def nvm() -> Iterator[Nvm]:
    with Store() as store:
        yield store.nvm("meter")


class Bench:
    def __init__(self, nvm: Nvm, state: ValveState) -> None:
        self.place = Workplace(METER, nvm, Trace(StandingClock(NOW)))
        self.valve = Valve(nvm, state)

    def after(self, *happened: ValveEvent) -> ValveState:
        for event in happened:
            self.handle(event)
        return self.valve.state

    def handle(self, event: ValveEvent) -> tuple[int, ...]:
        with self.place.work(NOW) as work:
            return self.valve.handle(work, event)


E = ValveEvent


@pytest.mark.parametrize(
    ("begin", "happened", "end"),
    [
        (ValveState.ENABLED, [E.REMOTE_CLOSE], ValveState.DISABLED),
        (ValveState.ENABLED, [E.REMOTE_ARM], ValveState.ARMED),
        (ValveState.DISABLED, [E.LOCAL_OPEN], ValveState.DISABLED),
        (ValveState.DISABLED, [E.REMOTE_ARM, E.FLOW_IS_FINE], ValveState.ENABLED),
        (ValveState.DISABLED, [E.REMOTE_ARM, E.UNCONTROLLED_FLOW], ValveState.ARMED),
        (ValveState.ENABLED, [E.CREDIT_GONE, E.CREDIT_BACK], ValveState.ARMED),
        (ValveState.ENABLED, [E.REMOTE_CLOSE, E.CREDIT_GONE, E.CREDIT_BACK], ValveState.DISABLED),
        (ValveState.ENABLED, [E.TAMPER, E.REMOTE_ARM], ValveState.ARMED),
        (ValveState.ENABLED, [E.DEPLETION, E.CREDIT_BACK], ValveState.DISABLED),
    ],
)
def test_what_follows(nvm: Nvm, begin: ValveState, happened: list[ValveEvent], end: ValveState) -> None:
    bench = Bench(nvm, begin)
    assert bench.after(*happened) is end
    assert Valve(nvm, begin).state is end
    assert Valve(nvm, begin).causes == bench.valve.causes


def test_no_row_opens_the_valve_but_a_good_check() -> None:
    opening = {event for (state, event), row in TABLE.items() if row.state is ValveState.ENABLED}
    assert opening == {ValveEvent.FLOW_IS_FINE}


def test_credit_that_is_gone_cannot_be_armed_away(nvm: Nvm) -> None:
    bench = Bench(nvm, ValveState.ENABLED)
    bench.after(ValveEvent.CREDIT_GONE)
    assert bench.valve.causes == (Cause.CREDIT,)
    assert not bench.valve.can_arm()


@pytest.mark.parametrize(
    ("fault", "begin", "event", "code"),
    [
        (
            SwitchFault.DISCONNECT,
            ValveState.ENABLED,
            ValveEvent.REMOTE_CLOSE,
            events.SUPPLY_DISCONNECT_FAILED,
        ),
        (SwitchFault.CONNECT, ValveState.ARMED, ValveEvent.FLOW_IS_FINE, events.SUPPLY_CONNECT_FAILED),
        (SwitchFault.CONNECT, ValveState.ENABLED, ValveEvent.REMOTE_CLOSE, None),
        (SwitchFault.DISCONNECT, ValveState.DISABLED, ValveEvent.REMOTE_ARM, None),
    ],
)
def test_a_broken_valve_stays_where_it_is_and_says_so(
    nvm: Nvm, fault: SwitchFault, begin: ValveState, event: ValveEvent, code: int | None
) -> None:
    bench = Bench(nvm, begin)
    bench.valve.fault = fault
    codes = bench.handle(event)
    assert (bench.valve.state is begin) is (code is not None)
    assert (codes == (code,)) is (code is not None)


def test_the_check_of_the_flow_compares_with_its_limit() -> None:
    check = FlowCheck.begin(0, stabilisation_ds=20, measurement_s=60, limit_ml_per_hour=5000)
    assert (check.begins_us, check.ends_us) == (2_000_000, 62_000_000)
    assert check.passes(5000)
    assert not check.passes(5001)
