"""Rules that hold for a meter whatever happens: commands, replays, forgeries, faults, power cuts, time.

Those of its account, and what new firmware leaves alone (I11, I13, I16), are in `account_life`; the mirror
of a gas meter (I12) is in gas/test_machines; credentials and firmware are in security/test_invariants.
"""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from meter_bench import ESME, HUB, NOW, PARTIES, Bench, FixedClock, HeadEnd, profile_of

from smetslab.devices.esme_core import EsmeCore
from smetslab.devices.esme_faults import drift_clock, lose_clock, tamper
from smetslab.devices.load import Energies
from smetslab.devices.supply import Cause, SupplyState
from smetslab.gbcs.codes import RemotePartyRole
from smetslab.gbcs.message import decode_message
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import seconds_since_2000, utc_text
from smetslab.pki import Authority
from smetslab.rng import RootSeed
from smetslab.store import Store
from smetslab.zigbee.zcl.named import seconds_to_text

UNIT = 1 << 32
READS = ("ECS17b", "ECS19", "ECS24", "ECS26a", "ECS27", "ECS45", "ECS52", "ECS82")
ACTS = ("ECS42", "ECS43", "ECS44")
LOGS = {"event": "ECS35a", "security": "ECS35b", "power": "ECS35e"}
OPERATOR = PARTIES[RemotePartyRole.NETWORK_OPERATOR]
KEYSTORE = Authority(RootSeed(20)).keystore([ESME, HUB])

STATE: dict[str, int | bool | str] = {
    "charging": True,
    "payment_mode": "prepayment",
    "meter_balance_millipence": 60_000,
    "emergency_credit_balance_millipence": 100_000,
    "emergency_credit_limit_millipence": 100_000,
    "emergency_credit_threshold_millipence": 50_000,
    "disablement_threshold_millipence": 0,
    "load_limit_power_threshold_w": 400,
    "load_limit_supply_state": "disable",
    "load_limit_restoration_period_s": 1_800,
    "generation_peak_w": 2_000,
}

UNPROTECTED = {USE_CASES[name].code for name in (*READS, *LOGS.values(), "CS01a")}


class Life(RuleBasedStateMachine):
    """One meter."""

    @initialize()
    def begin(self) -> None:
        self.store = Store()
        self.store.__enter__()
        profile = profile_of(STATE)
        self.bench = Bench(HeadEnd(KEYSTORE), self.store.nvm("esme"), profile, FixedClock(NOW))
        self.counter, self.utrn = 1_000, 0
        self.accepted: list[bytes] = []
        self.protected_since = 0
        self.registers = self.core.meter.registers(self.bench.now)
        self.own, self.executed = 0, 0
        self.clock_untouched = True
        self.seen_alerts = 0

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.__exit__(None, None, None)

    # ------------------------------------------------------------------------ what is looked at

    @property
    def core(self) -> EsmeCore:
        return self.bench.core

    def picture(self) -> dict[str, Any]:
        """Everything that a rejected command must leave alone."""
        core = self.core
        server = core.server
        return {
            "account": core.prepayment.account.state.to_json(),
            "life": core.life.state.to_json(),
            "supply": (core.supply.state, core.supply.causes),
            "clock": (core.clock.status, core.clock.offset),
            "pending": [(item.key, item.at, item.counter) for item in core.application.future_dated.waiting],
            "values": {
                name: server.data(name)
                for name in ("tariff_prices", "load_limit_power_threshold", "supplier_message", "time_debt_1")
            },
            "anchors": core.application.trust_anchors.cells,
            "utrns": core.prepayment.utrns.counters,
            "event log": core.application.event_log.entries,
        }

    def answer(self, name: str, parameters: Any = None, counter: int | None = None) -> Any:
        """Execute a command; its octets are kept for replays."""
        if counter is None:
            self.counter += 1
            counter = self.counter
        data = self.bench.head.command(name, parameters, counter=counter)
        sent = self.bench.send(data)
        answers = [m for m in sent if m.event == "ResponseSent"]
        assert len(answers) == 1, f"{name} was not answered once"
        self.accepted.append(data)
        return self.bench.head.read(answers[0].data)

    # ------------------------------------------------------------------------ what happens

    @rule(minutes=st.integers(1, 4_000))
    def time_goes_by(self, minutes: int) -> None:
        before, causes = self.core.supply.state, self.core.supply.causes
        self.bench.pass_time(timedelta(minutes=minutes))
        self.bench.settled()
        if before is SupplyState.DISABLED:
            assert not self.core.supply.closed, "supply came back by itself (I8)"
        if before is SupplyState.ARMED and Cause.LOAD_LIMIT not in causes:
            assert not self.core.supply.closed, "an armed supply closed by itself (I8)"

    @rule(name=st.sampled_from(READS))
    def read(self, name: str) -> None:
        self.bench.settled()
        before = self.picture()
        self.answer(name)
        assert self.picture() == before

    @rule(name=st.sampled_from(READS))
    def restart_between_two_reads(self, name: str) -> None:
        """I10."""
        self.bench.settled()
        before = self.answer(name)
        self.bench.power_cut(timedelta())
        assert self.answer(name) == before

    @rule(log=st.sampled_from(sorted(LOGS)), back=st.integers(0, 9_000), span=st.integers(0, 9_000))
    def read_a_log(self, log: Any, back: int, span: int) -> None:
        """I9: what is inside of a period, all of it, and in order."""
        now = self.core.clock.time(self.bench.now).replace(microsecond=0)
        first = now - timedelta(minutes=back)
        last = first + timedelta(minutes=span)
        asked = {"start_date_time": utc_text(first), "end_date_time": utc_text(last)}
        name = f"{log}_log" if log != "power" else "power_event_log"
        entries = self.answer(LOGS[log], {f"{name}_period": asked})[name]
        told = [(entry["timestamp"], entry["log_code"]) for entry in entries]
        low, high = seconds_since_2000(first), seconds_since_2000(last)
        inside = [one for one in self.core.application.logs[log].entries if low <= one.seconds <= high]
        assert told == [(seconds_to_text(one.seconds), f"{one.code:04X}") for one in inside]
        if self.clock_untouched:
            assert told == sorted(told, key=lambda one: one[0])

    @rule(name=st.sampled_from(ACTS))
    def switch(self, name: str) -> None:
        self.answer(name)
        self.protected_since = self.counter

    @rule(name=st.sampled_from(ACTS), why=st.sampled_from(["no right", "old counter"]), cut=st.booleans())
    def refuse(self, name: str, why: str, cut: bool) -> None:
        """I4: a command of a party without the right to it, or one with a counter that is used, changes
        nothing but counters and the security log."""
        if why == "old counter" and not self.protected_since:
            return
        counter = self.counter + 1_000 if why == "no right" else self.protected_since
        originator = {"originator": OPERATOR} if why == "no right" else {}
        data = self.bench.head.command(name, counter=counter, **originator)
        self.bench.settled()
        before = self.picture()
        sent = self.bench.send(data)
        if cut:
            self.bench.power_cut(timedelta())
        assert [m for m in sent if m.event == "ResponseSent"] == []
        after = self.picture()
        if cut:
            before["life"] = {k: v for k, v in before["life"].items() if k not in ("demand", "times")}
            after["life"] = {k: v for k, v in after["life"].items() if k not in ("demand", "times")}
        assert after == before

    @rule(power=st.integers(1, 20_000))
    def configure_and_lose_power_at_once(self, power: int) -> None:
        """I18: what a response acknowledged is there after a power cut at the next instant."""
        moment = "immediate"
        parameters = {
            "load_limit_supply_state": "Unchanged",
            "load_limit_power_threshold": power,
            "load_limit_period": 60,
            "load_limit_restoration_period": 60,
            **{
                f"load_limit_{part}_activation_time": moment
                for part in ("supply_state", "power_threshold", "period", "restoration_period")
            },
        }
        assert self.answer("ECS28a", parameters) == {}
        self.bench.power_cut(timedelta(seconds=1))
        assert self.answer("ECS27")["load_limit_power_threshold"] == power

    @rule(pounds=st.integers(0, 60), local=st.booleans())
    def top_up(self, pounds: int, local: bool) -> None:
        self.utrn += 1
        digits = self.bench.head.top_up(pounds, self.utrn * UNIT)
        self.bench.settled()
        worth = self.core.prepayment.account.worth
        debt = self.core.prepayment.account.state.payment_debt
        if local:
            credited = self.core.enter_utrn(digits, self.bench.now) is None
        else:
            credited = self.answer("CS01a", {"utrn": digits}, counter=self.utrn * UNIT) == {}
        account = self.core.prepayment.account
        repaid = debt - account.state.payment_debt
        assert account.worth - worth == (pounds * 100_000 - repaid if credited else 0), "I16"
        if credited:
            assert account.state.meter_balance <= account.rules.maximum_balance, "I7"
            assert self.core.enter_utrn(digits, self.bench.now) is not None, "a code twice (I5)"

    @rule()
    def press(self) -> None:
        before = self.core.supply.state
        enabled = self.core.press_enable_button(self.bench.now)
        assert enabled is (before is not SupplyState.DISABLED)

    @rule()
    def emergency(self) -> None:
        self.core.select_emergency_credit(self.bench.now)

    @rule(watt_hours=st.integers(1, 3_000))
    def consume(self, watt_hours: int) -> None:
        self.core.consume(Energies(active_import=watt_hours * 1_000), self.bench.now)

    @rule(pick=st.integers(0, 10**6))
    def replay(self, pick: int) -> None:
        """I5: nothing that was executed is executed again, or answered."""
        if not self.accepted:
            return
        data = self.accepted[pick % len(self.accepted)]
        message = decode_message(data)
        protected = message.other_information.message_code not in UNPROTECTED
        self.bench.settled()
        before = self.picture()
        sent = self.bench.send(data)
        assert self.picture() == before
        if protected:
            assert [m for m in sent if m.event == "ResponseSent"] == []

    @rule(name=st.sampled_from(ACTS), bit=st.integers(0, 95))
    def forge(self, name: str, bit: int) -> None:
        """I4: a command with a wrong MAC changes nothing but counters and the security log."""
        message = self.bench.head.message(name, counter=self.counter + 1_000)
        data = bytearray(self.bench.head.protect(message))
        data[-1 - bit // 8] ^= 1 << bit % 8
        self.bench.settled()
        before = self.picture()
        sent = self.bench.send(bytes(data))
        assert self.picture() == before
        assert [m for m in sent if m.event == "ResponseSent"] == []

    @rule(minutes=st.integers(0, 6_000))
    def power_cut(self, minutes: int) -> None:
        """I10, I15: after no time everything is as it was; no energy while there is no power."""
        self.bench.settled()
        before = self.picture()
        reading = self.core.meter.registers(self.bench.now)
        self.bench.power_cut(timedelta(minutes=minutes))
        assert self.core.meter.registers(self.bench.now) == reading, "energy over a power cut (I15)"
        if not minutes:
            after = self.picture()
            ours = ("demand",)
            before["life"] = {k: v for k, v in before["life"].items() if k not in (*ours, "times")}
            after["life"] = {k: v for k, v in after["life"].items() if k not in (*ours, "times")}
            assert after == before, "I10"

    @rule(seconds=st.integers(-200_000, 200_000))
    def drift(self, seconds: int) -> None:
        self.clock_untouched = False
        self.core.happen(self.bench.now, lambda work: drift_clock(self.core, work, seconds))

    @rule()
    def lose_time(self) -> None:
        self.clock_untouched = False
        self.core.happen(self.bench.now, lambda work: lose_clock(self.core, work))

    @rule(kind=st.sampled_from(["meter-cover", "magnet"]), begins=st.booleans())
    def tampering(self, kind: str, begins: bool) -> None:
        self.core.happen(self.bench.now, lambda work: tamper(self.core, work, kind, begins=begins))

    # ------------------------------------------------------------------------ what holds

    @invariant()
    def registers_never_fall(self) -> None:
        if not hasattr(self, "bench"):
            return
        now = self.core.meter.registers(self.bench.now)
        assert all(new >= old for new, old in zip(now, self.registers, strict=True)), "I1"
        self.registers = now

    @invariant()
    def rates_add_up_to_the_import(self) -> None:
        if not hasattr(self, "bench"):
            return
        self.bench.settled()
        rates = self.core.life.state.rates
        total = sum(rates.tou) + sum(map(sum, rates.blocks))
        assert total == self.core.meter.reading(self.core.life.state.reached_us).active_import, "I2"

    @invariant()
    def half_hours_add_up_to_the_days(self) -> None:
        if not hasattr(self, "bench") or not self.clock_untouched:
            return
        days = self.core.logs.daily.entries()
        halves = list(self.core.meter.half_hours(self.bench.now, None, None))
        for earlier, later in itertools.pairwise(days):
            if later[0] - earlier[0] == 86_400:
                day = sum(e.active_import for at, e in halves if earlier[0] < at <= later[0])
                assert day == later[1] - earlier[1], "I3"

    @invariant()
    def no_supply_with_a_cause(self) -> None:
        if hasattr(self, "bench"):
            assert not (self.core.supply.closed and self.core.supply.causes), "I8"

    @invariant()
    def logs_are_in_order(self) -> None:
        if not hasattr(self, "bench"):
            return
        for log in self.core.application.logs.values():
            numbers = [entry.number for entry in log.entries]
            assert numbers == sorted(set(numbers)), "I9"
            assert len(numbers) <= 100
            low, high = self.bench.now - timedelta(days=1), self.bench.now
            inside = log.between(low, high)
            assert set(inside) <= set(log.entries)

    @invariant()
    def every_alert_is_in_a_log_unless_it_has_none(self) -> None:
        if not hasattr(self, "bench"):
            return
        self.bench.take()
        for message in self.bench.alerts[self.seen_alerts :]:
            code = int(str(message.detail["code"]), 16)
            if code in {0x8F66, 0x8F67, 0x8F85}:
                continue
            route = self.core.routes.route(code)
            if route.log is not None:
                log = self.core.application.logs[route.log]
                full = len(log.entries) == 100
                assert full or code in {entry.code for entry in log.entries}, f"I14 {code:04X}"
        self.seen_alerts = len(self.bench.alerts)

    @invariant()
    def counters_never_go_back(self) -> None:
        if not hasattr(self, "bench"):
            return
        own = self.core.application.own_counter.next_value
        executed = max((c for _, _, c in self.core.application.execution_counters.items()), default=0)
        assert own >= self.own, "I17"
        assert executed >= self.executed, "I17"
        self.own, self.executed = own, executed

    @invariant()
    def emergency_credit_is_within_its_limit(self) -> None:
        if hasattr(self, "bench"):
            account = self.core.prepayment.account
            remaining, limit = account.state.emergency_balance, account.rules.emergency_limit
            assert 0 <= remaining <= limit, "I6"
            assert account.emergency_owed == (limit - remaining if account.state.emergency.taken else 0), "I6"


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)
