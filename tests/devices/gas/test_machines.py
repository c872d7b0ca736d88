"""Random lives of a gas meter: what must hold of its valve, its account, its counters and its mirror."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import count, pairwise
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from smetslab.devices.gas_model import MIRRORED
from smetslab.devices.valve import ValveState
from smetslab.gbcs.message import decode_message
from smetslab.gbcs.values import EPOCH_2000, seconds_since_2000, utc_text

MakeBench = Callable[..., Any]
_NUMBERS = count()
RUNS = settings(max_examples=8, stateful_step_count=20, deadline=None)
TIMES = st.sampled_from([timedelta(seconds=1), timedelta(minutes=3), timedelta(hours=1), timedelta(hours=38)])


def supply(status: str) -> dict[str, Any]:
    return {
        "cluster": "metering",
        "command": "change_supply",
        "provider_id": 0,
        "issuer_event_id": "2026-03-02T12:00:00Z",
        "request_date_time": "not_given",
        "implementation_date_time": "immediate",
        "proposed_supply_status": status,
        "supply_control_bits": ["acknowledge_required"],
    }


def adjust_balance(value: int) -> dict[str, Any]:
    return {
        "cluster": "prepayment",
        "command": "credit_adjustment",
        "issuer_event_id": "2026-03-02T12:00:00Z",
        "start_time": "immediate",
        "credit_adjustment_type": "credit_incremental",
        "credit_adjustment_value": value,
    }


LOGS = {"event": ("CS10a", "general_event_log"), "security": ("CS10b", "security_event_log")}
"""How each log is read."""


def read_log(log_id: str, first: str, last: str) -> dict[str, Any]:
    return {
        "cluster": "events",
        "command": "get_event_log",
        "event_control_log_id": {"log_id": log_id, "event_control": "minimal_information"},
        "event_id": "0000",
        "start_time": first,
        "end_time": last,
        "number_of_events": 0,
        "event_offset": 0,
    }


def seconds_to_text(seconds: int) -> str:
    return utc_text(EPOCH_2000 + timedelta(seconds=seconds))


class GasLifeMachine(RuleBasedStateMachine):
    """One meter in prepayment mode; `make` makes its bench."""

    make: MakeBench

    @initialize()
    def fit(self) -> None:
        self.bench = type(self).make(
            "prepayment",
            half_hour_ml=50_000,
            owner=f"machine/{next(_NUMBERS)}",
            state={"meter_balance_millipence": 60_000, "price.standing_charge": 20_000},
        )
        self.accepted: list[bytes] = []
        self.alert_counter = 0
        self.tokens = 0
        self.total = 0
        self.supply = self.bench.core.valve.state
        self.opened = False
        """Somebody at the meter has asked for gas since the valve was closed."""

    def _command(self, name: str, component: dict[str, Any]) -> None:
        data = self.bench.head.command(name, [component])
        sent = self.bench.send(data)
        assert sum(one.event == "ResponseSent" for one in sent) == 1
        self.accepted.append(data)

    @rule(duration=TIMES)
    def pass_time(self, duration: timedelta) -> None:
        self.bench.pass_time(duration)

    @rule(duration=TIMES)
    def power_cut(self, duration: timedelta) -> None:
        self.bench.power_cut(duration)

    @rule()
    def blink(self) -> None:
        """I10, I18: a power cut at the next instant changes nothing that anybody was told."""
        self.bench.core.settle(self.bench.now)
        before = self.bench.core.inspect(self.bench.now)
        self.bench.power_cut(timedelta())
        assert self.bench.core.inspect(self.bench.now) == before

    @rule()
    def close(self) -> None:
        self._command("GCS32", supply("supply_off"))
        assert self.bench.core.valve.state is ValveState.DISABLED

    @rule()
    def arm(self) -> None:
        self._command("GCS39", supply("supply_off_armed"))

    @rule(value=st.integers(-100_000, 100_000))
    def adjust(self, value: int) -> None:
        self._command("GCS40a", adjust_balance(value))

    @rule(pence=st.integers(1, 400))
    def top_up(self, pence: int) -> None:
        self.tokens += 1
        self.bench.core.enter_code(self.bench.head.token(pence, self.tokens), self.bench.now)
        rules = self.bench.core.account.account.rules
        assert self.bench.balance <= max(rules.maximum_balance, self.bench.balance)

    @rule()
    def wrong_code(self) -> None:
        before = self.bench.balance
        self.bench.core.enter_code("0" * 20, self.bench.now)
        assert self.bench.balance == before

    @rule()
    def open_by_hand(self) -> None:
        self.opened = self.bench.core.open_by_hand(self.bench.now)

    @rule(flow=st.sampled_from([0, 1_000_000]))
    def appliance(self, flow: int) -> None:
        self.bench.core.settle(self.bench.now)
        self.bench.core.life.leak_ml_per_hour = flow

    @precondition(lambda self: self.accepted)
    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        """I5: an accepted command is not accepted again."""
        again = data.draw(st.sampled_from(self.accepted))
        before = self.bench.core.inspect(self.bench.now)["account"]
        assert [one for one in self.bench.send(again) if one.event == "ResponseSent"] == []
        assert self.bench.core.inspect(self.bench.now)["account"] == before

    @rule(name=st.sampled_from(["GCS32", "GCS39"]), why=st.sampled_from(["no right", "wrong MAC"]))
    def refuse(self, name: str, why: str) -> None:
        """I4: what is not obeyed changes nothing but counters and the security log."""
        status = "supply_off" if name == "GCS32" else "supply_off_armed"
        no_right = {"originator": self.bench.network_operator} if why == "no right" else {}
        data = self.bench.head.command(name, [supply(status)], **no_right)
        data = data if no_right else data[:-1] + bytes((data[-1] ^ 1,))
        self.bench.core.settle(self.bench.now)
        before = self._picture()
        assert [one for one in self.bench.send(data) if one.event == "ResponseSent"] == []
        assert self._picture() == before

    def _picture(self) -> dict[str, Any]:
        kept = dict(self.bench.core.inspect(self.bench.now))
        for name in ("security_log", "counters", "outbox"):
            kept.pop(name, None)
        return kept

    @rule(kind=st.sampled_from(sorted(LOGS)), back=st.integers(0, 9_000), span=st.integers(0, 9_000))
    def read_a_log(self, kind: str, back: int, span: int) -> None:
        """I9: what is inside of a period, all of it, in order and once."""
        use_case, log_id = LOGS[kind]
        now = self.bench.core.clock.time(self.bench.now).replace(microsecond=0)
        first = now - timedelta(minutes=back)
        last = first + timedelta(minutes=span)
        [answer] = self.bench.ask(use_case, read_log(log_id, utc_text(first), utc_text(last)))
        told = [(one["event_time"], one["event_id"]) for one in answer.get("log_payload", ())]
        log = self.bench.core.application.logs[kind]
        low, high = seconds_since_2000(first), seconds_since_2000(last)
        inside = [one for one in log.entries if low <= one.seconds <= high]
        assert told == [(seconds_to_text(one.seconds), f"{one.code:04X}") for one in inside]
        assert [at for at, _ in told] == sorted(at for at, _ in told)
        numbers = [one.number for one in log.entries]
        assert numbers == sorted(set(numbers))
        if not inside:
            assert answer["status"] == "not_found"

    @invariant()
    def half_hours_add_up_to_the_days(self) -> None:
        """I3, to the litre that registers and samples are cut to."""
        records = self.bench.core.records
        for earlier, later in pairwise(records.daily.entries):
            if later.seconds - earlier.seconds == 86_400:
                day = records.profile.samples(earlier.seconds + 1_800, 48)
                totals = [one.values["current_summation_delivered"] for one in (earlier, later)]
                assert (day.start, len(day.values)) == (earlier.seconds + 1_800, 48)
                assert abs(sum(day.values) - (totals[1] - totals[0])) <= 1

    @invariant()
    def every_alert_is_in_a_log_unless_it_has_none(self) -> None:
        """I14."""
        self.bench.take()
        core = self.bench.core
        for message in self.bench.alerts:
            route = core.event_settings.route(int(str(message.detail["code"]), 16))
            if route.log is not None:
                entries = core.application.logs[route.log].entries
                logged = {f"{entry.code:04X}" for entry in entries}
                assert len(entries) == 100 or message.detail["code"] in logged, message.detail

    @invariant()
    def valve_is_open_for_a_reason(self) -> None:
        """I8."""
        valve = self.bench.core.valve
        if valve.state is ValveState.ENABLED:
            assert valve.causes == ()
            assert self.supply is ValveState.ENABLED or self.opened
        if valve.state is ValveState.DISABLED:
            self.opened = False
        self.supply = valve.state

    @invariant()
    def registers_never_fall(self) -> None:
        """I1."""
        assert self.bench.core.meter.registers.total >= self.total
        self.total = self.bench.core.meter.registers.total

    @invariant()
    def emergency_credit_is_within_its_limit(self) -> None:
        """I6."""
        account = self.bench.core.account
        assert 0 <= account.emergency_remaining <= account.account.rules.emergency_limit

    @invariant()
    def counters_rise(self) -> None:
        """I17."""
        self.bench.take()
        for alert in self.bench.alerts:
            counter = decode_message(alert.data).originator_counter
            assert counter > self.alert_counter
            self.alert_counter = counter
        self.bench.alerts.clear()


def test_a_random_life_keeps_the_invariants(make_gas_bench: MakeBench) -> None:
    machine = type("Machine", (GasLifeMachine,), {"make": staticmethod(make_gas_bench)})
    run_state_machine_as_test(machine, settings=RUNS)


class MirrorMachine(RuleBasedStateMachine):
    """A meter and its proxy, between which reports are lost, and which lose power."""

    make: MakeBench
    make_gpf: MakeBench

    @initialize()
    def fit(self) -> None:
        number = next(_NUMBERS)
        self.bench = type(self).make("prepayment", half_hour_ml=9_000, owner=f"mirrored/{number}")
        self.owner = f"mirror/{number}"
        self.tokens = 0
        self._proxy_on()

    def _proxy_on(self) -> None:
        self.proxy, self.place = type(self).make_gpf(lambda: self.bench.now, self.owner)

    @rule(duration=TIMES)
    def pass_time(self, duration: timedelta) -> None:
        self.bench.pass_time(duration)

    @rule()
    def meter_power_cut(self) -> None:
        self.bench.power_cut()

    @rule()
    def proxy_power_cut(self) -> None:
        self._proxy_on()

    @rule(pence=st.integers(1, 400))
    def top_up(self, pence: int) -> None:
        self.tokens += 1
        self.bench.core.enter_code(self.bench.head.token(pence, self.tokens), self.bench.now)

    @rule(value=st.integers(-10_000, 10_000))
    def adjust(self, value: int) -> None:
        self.bench.ask("GCS40a", adjust_balance(value))

    @rule(arrives=st.integers(0, 9))
    def lost_report(self, arrives: int) -> None:
        """Some frames arrive, the others do not: all of it is told again."""
        for cluster, frame in self._frames()[:arrives]:
            assert self.proxy.reported(cluster, frame, self.bench.now)

    @rule()
    def report(self) -> None:
        """I12: after a report the proxy shows what the meter shows."""
        for cluster, frame in self._frames():
            assert self.proxy.reported(cluster, frame, self.bench.now)
        self.bench.core.reporter.delivered()
        meter, mirror = self.bench.core.engine.memory, self.proxy.engine.memory
        for attribute in MIRRORED:
            assert mirror.get(attribute, self.bench.now) == meter.get(attribute, self.bench.now), attribute
        theirs, ours = self.bench.core.records, self.proxy.records
        told = (*theirs.metering_logs, *theirs.prepay_logs)
        kept = (*ours.metering_logs, *ours.prepay_logs)
        for one, other in zip(told, kept, strict=True):
            assert [(entry.seconds, entry.values) for entry in other.entries] == [
                (entry.seconds, entry.values) for entry in one.entries
            ]
        assert list(ours.top_ups.entries) == list(theirs.top_ups.entries)
        newest = theirs.profile.samples(0, 10**6)
        assert ours.profile.samples(0, 10**6).values[-96:] == newest.values[-96:]

    def _frames(self) -> Any:
        core = self.bench.core
        core.settle(self.bench.now)
        return core.reporter.frames(self.bench.now, seconds_since_2000(core.clock.time(self.bench.now)))


def test_more_top_ups_of_one_second_than_the_log_has_room_for_are_reported(
    make_gas_bench: MakeBench, make_gpf: MakeBench
) -> None:
    bench = make_gas_bench("prepayment", half_hour_ml=9_000)
    proxy, _ = make_gpf(lambda: bench.now, "mirror/full")
    number = 0
    for more in (1, 4, 1):
        for _ in range(more):
            number += 1
            bench.core.enter_code(bench.head.token(1, number), bench.now)
        for cluster, frame in bench.core.reporter.frames(bench.now, seconds_since_2000(bench.now)):
            assert proxy.reported(cluster, frame, bench.now)
        bench.core.reporter.delivered()
        assert list(proxy.records.top_ups.entries) == list(bench.core.records.top_ups.entries)
    assert len(proxy.records.top_ups.entries) == 5


def test_the_proxy_shows_what_was_reported(make_gas_bench: MakeBench, make_gpf: MakeBench) -> None:
    members = {"make": staticmethod(make_gas_bench), "make_gpf": staticmethod(make_gpf)}
    run_state_machine_as_test(type("Machine", (MirrorMachine,), members), settings=RUNS)
