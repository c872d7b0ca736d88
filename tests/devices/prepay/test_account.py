"""A prepayment account: the worked examples step by step, and rules that hold whatever happens."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from smetslab.devices.prepay.account import Account, Split
from smetslab.devices.prepay.rules import CapWeek, DebtPeriod, Options, Rules, TimeDebt
from smetslab.devices.prepay.state import CODES, AccountEvent, AccountState, EmergencyState

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)
KWH = 1_000_000
PRICE = 30_000
STANDING = 60_000


def codes(events: tuple[AccountEvent, ...]) -> list[str]:
    return [f"{CODES[event]:04X}" if event in CODES else event.name for event in events]


def figures(account: Account) -> tuple[int, int | None, int, int]:
    """Balance, emergency credit (None: not taken), accumulated debt, time debt 1."""
    state = account.state
    emergency = state.emergency_balance if state.emergency.taken else None
    return state.meter_balance, emergency, state.accumulated_debt, state.time_debt_1


def midnight(account: Account, now: datetime) -> list[str]:
    closed = account.state.credit_cause
    found = account.standing_charge(STANDING, supply_open=closed)
    return codes(found + account.debt_tick(DebtPeriod.DAILY, now, supply_open=closed))


# ------------------------------------------------------------------------------------ published examples


def test_a_share_of_each_payment_repays_debt_up_to_the_weekly_cap() -> None:
    """Ten pounds a day at ten per cent and five pounds a week: Monday to Friday one pound goes to the
    debt. From a maker's manual."""
    account = Account(AccountState(payment_debt=5_000_000), Rules(per_payment=1000, rate_cap=500_000))
    splits = [account.top_up(1_000_000, MONDAY + day * DAY)[0] for day in range(7)]
    assert splits == [Split(debt=100_000, balance=900_000)] * 5 + [Split(balance=1_000_000)] * 2
    assert (account.state.payment_debt, account.state.meter_balance) == (4_500_000, 6_500_000)
    assert account.top_up(1_000_000, MONDAY + 7 * DAY)[0].debt == 100_000


EXAMPLE_2 = Rules(
    emergency_limit=1_000_000,
    emergency_threshold=100_000,
    per_payment=2_000,
    time_debts=(TimeDebt(rate=50_000), TimeDebt()),
    low_credit_threshold=-(10**9),
)


def example_2(options: Options | None = None, *, suspend_debt_emergency: bool = True) -> Account:
    state = AccountState(
        suspend_debt_emergency=suspend_debt_emergency,
        suspend_debt_disabled=True,
        meter_balance=150_000,
        emergency_balance=1_000_000,
        time_debt_1=5_000_000,
        payment_debt=300_000,
    )
    return Account(state, EXAMPLE_2, options)


def to_midnight(account: Account) -> None:
    """The first rows of example 2, up to its first midnight."""
    assert codes(account.energy(2 * KWH, PRICE)) == ["8119"]
    assert figures(account) == (90_000, None, 0, 5_000_000)
    done, events = account.activate_emergency_credit()
    assert (done, codes(events)) == (True, ["81AB"])
    assert figures(account) == (90_000, 1_000_000, 0, 5_000_000)
    assert account.energy(45 * KWH // 10, PRICE) == ()
    assert figures(account) == (0, 955_000, 0, 5_000_000)
    assert account.state.emergency is EmergencyState.IN_USE


@pytest.mark.parametrize(
    ("options", "balance", "emergency"),
    [(Options(), -5_000, 230_000), (Options(threshold_first=True), 0, 225_000)],
    ids=["default", "threshold first"],
)
def test_example_2(options: Options, balance: int, emergency: int) -> None:
    account = example_2(options)
    start = account.worth
    to_midnight(account)
    assert midnight(account, MONDAY) == []
    assert figures(account) == (0, 955_000, 110_000, 4_950_000)
    assert codes(account.energy(32 * KWH, PRICE)) == ["81AA", "8F0F"]
    assert figures(account) == (-5_000, 0, 110_000, 4_950_000)
    assert midnight(account, MONDAY + DAY) == []
    assert figures(account) == (-5_000, 0, 170_000, 4_950_000)
    split, events = account.top_up(500_000, MONDAY + DAY)
    assert codes(events) == ["CREDIT_BACK"]
    assert figures(account) == (balance, emergency, 0, 4_950_000)
    assert (account.state.payment_debt, split.debt) == (200_000, 100_000)
    assert account.worth - start == 400_000 - 1_155_000 - 120_000 - 50_000


def test_example_2_without_suspension_in_emergency_credit() -> None:
    account = example_2(suspend_debt_emergency=False)
    to_midnight(account)
    midnight(account, MONDAY)
    assert figures(account) == (0, 845_000, 0, 4_950_000)


@pytest.mark.parametrize("threshold_first", [False, True])
def test_example_3(threshold_first: bool) -> None:
    rules = Rules(
        disablement_threshold=-200_000,
        emergency_limit=1_000_000,
        emergency_threshold=100_000,
        time_debts=(TimeDebt(rate=50_000), TimeDebt()),
        low_credit_threshold=-(10**9),
    )
    state = AccountState(
        meter_balance=-150_000,
        emergency_balance=1_000_000,
        emergency=EmergencyState.AVAILABLE,
        time_debt_1=5_000_000,
    )
    account = Account(state, rules, Options(threshold_first=threshold_first))
    account.begin_non_disablement()
    assert codes(account.energy(3 * KWH, PRICE)) == ["8F83"]
    assert figures(account)[:3] == (-240_000, None, 0)
    assert midnight(account, MONDAY) == []
    assert figures(account)[:3] == (-240_000, None, 110_000)
    assert account.energy(KWH // 2, PRICE) == ()
    assert figures(account)[:3] == (-255_000, None, 110_000)
    assert codes(account.end_non_disablement()) == ["8F0F"]
    done, events = account.activate_emergency_credit()
    assert (done, codes(events)) == (True, ["81AB", "CREDIT_BACK"])
    assert account.credit == 745_000
    assert account.energy(20 * KWH, PRICE) == ()
    assert figures(account)[:3] == (-255_000, 400_000, 110_000)
    account.top_up(1_000_000, MONDAY)
    assert figures(account)[:3] == (35_000, None, 0)
    assert (account.state.emergency_balance, account.state.emergency) == (
        1_000_000,
        EmergencyState.AVAILABLE,
    )


# ------------------------------------------------------------------------------------ single rules


def test_credit_mode_recovers_nothing_and_only_the_balance_falls() -> None:
    state = AccountState(
        prepayment=False, meter_balance=5, accumulated_debt=100, payment_debt=100, time_debt_1=9
    )
    account = Account(state, Rules(per_payment=10_000, time_debts=(TimeDebt(rate=9), TimeDebt())))
    assert account.top_up(50, MONDAY) == (Split(balance=50), ())
    assert midnight(account, MONDAY) == []
    assert account.energy(KWH, PRICE) == ()
    assert figures(account) == (55 - STANDING - PRICE, None, 100, 9)


def test_a_gas_meter_in_credit_mode_counts_the_cost_to_date() -> None:
    account = Account(AccountState(prepayment=False), Rules(), Options(cost_to_date=True))
    account.energy(2 * KWH, PRICE)
    account.standing_charge(STANDING, supply_open=False)
    assert (account.state.cost_to_date, account.state.meter_balance) == (120_000, 0)
    account.adjust_cost_to_date(20_000)
    assert account.state.cost_to_date == 100_000
    account.adjust_cost_to_date(200_000)
    assert account.state.cost_to_date == 0


def test_nothing_of_the_energy_is_lost_below_a_thousandth_of_a_penny() -> None:
    account = Account(AccountState(meter_balance=10**6), Rules())
    for _ in range(1000):
        account.energy(333, 7)
    assert account.state.meter_balance == 10**6 - 1000 * 333 * 7 // KWH
    assert account.state.remainder == 1000 * 333 * 7 % KWH


def test_low_credit_is_told_once_until_it_is_over() -> None:
    account = Account(
        AccountState(meter_balance=100), Rules(low_credit_threshold=90, disablement_threshold=-900)
    )
    assert account.standing_charge(10, supply_open=False) == ()
    assert account.standing_charge(1, supply_open=False) == (AccountEvent.LOW_CREDIT,)
    assert account.standing_charge(1, supply_open=False) == ()
    account.top_up(50, MONDAY)
    assert account.standing_charge(100, supply_open=False) == (AccountEvent.LOW_CREDIT,)


def test_thresholds_may_be_inclusive() -> None:
    rules = Rules(
        low_credit_threshold=90, emergency_limit=5, emergency_threshold=90, disablement_threshold=-900
    )
    account = Account(AccountState(meter_balance=100), rules, Options(inclusive_thresholds=True))
    found = account.standing_charge(10, supply_open=False)
    assert found == (AccountEvent.LOW_CREDIT, AccountEvent.EMERGENCY_AVAILABLE)


def test_emergency_credit_goes_away_with_the_need_and_cannot_be_taken_without() -> None:
    rules = Rules(emergency_limit=1_000, emergency_threshold=100)
    account = Account(AccountState(meter_balance=150, emergency_balance=1_000), rules)
    assert account.activate_emergency_credit() == (False, ())
    account.standing_charge(100, supply_open=False)
    assert account.state.emergency is EmergencyState.AVAILABLE
    account.top_up(50, MONDAY)
    assert account.state.emergency is EmergencyState.UNAVAILABLE
    account.standing_charge(50, supply_open=False)
    assert account.activate_emergency_credit()[0] is True
    assert account.activate_emergency_credit() == (True, ())


def test_exhausted_credit_stays_closed_until_it_is_repaid_where_a_make_wants_that() -> None:
    rules = Rules(emergency_limit=1_000, emergency_threshold=100)
    state = AccountState(emergency=EmergencyState.EXHAUSTED, credit_cause=True)
    account = Account(state, rules, Options(full_repay_first=True))
    assert account.top_up(400, MONDAY) == (Split(emergency=400), ())
    assert (account.credit, account.state.credit_cause) == (0, True)
    assert account.top_up(700, MONDAY) == (Split(emergency=600, balance=100), (AccountEvent.CREDIT_BACK,))
    assert account.state.emergency is EmergencyState.UNAVAILABLE


@pytest.mark.parametrize(("covers", "booked"), [(False, STANDING), (True, 0)])
def test_suspension_while_disabled(covers: bool, booked: int) -> None:
    state = AccountState(suspend_debt_disabled=True, time_debt_1=500, credit_cause=True)
    rules = Rules(time_debts=(TimeDebt(rate=50), TimeDebt()))
    account = Account(state, rules, Options(suspend_covers_standing=covers))
    midnight(account, MONDAY)
    assert (state.accumulated_debt, state.time_debt_1) == (booked, 500)


def test_debts_are_recovered_in_their_periods_and_told_when_they_are_gone() -> None:
    rules = Rules(time_debts=(TimeDebt(rate=60, period=DebtPeriod.HOURLY), TimeDebt(rate=40)))
    account = Account(AccountState(meter_balance=1_000, time_debt_1=100, time_debt_2=40), rules)
    assert account.debt_tick(DebtPeriod.HOURLY, MONDAY, supply_open=False) == ()
    assert account.debt_tick(DebtPeriod.DAILY, MONDAY, supply_open=False) == (
        AccountEvent.TIME_DEBT_2_CLEARED,
    )
    assert account.debt_tick(DebtPeriod.HOURLY, MONDAY, supply_open=False) == (
        AccountEvent.TIME_DEBT_1_CLEARED,
    )
    assert account.state.meter_balance == 860


def test_a_rolling_week_counts_the_last_seven_days() -> None:
    account = Account(
        AccountState(payment_debt=10_000),
        Rules(per_payment=10_000, rate_cap=300),
        Options(cap_week=CapWeek.ROLLING),
    )
    friday = MONDAY + 4 * DAY
    assert account.top_up(200, friday)[0].debt == 200
    assert account.top_up(200, friday + 4 * DAY)[0].debt == 100
    assert account.top_up(500, friday + 7 * DAY)[0].debt == 200
    assert account.recovered_this_week(friday + 7 * DAY) == 300


def test_the_cap_may_cover_time_debts() -> None:
    rules = Rules(rate_cap=70, time_debts=(TimeDebt(rate=50), TimeDebt(rate=50)))
    account = Account(
        AccountState(meter_balance=500, time_debt_1=500, time_debt_2=500),
        rules,
        Options(cap_covers_time_debts=True),
    )
    account.debt_tick(DebtPeriod.DAILY, MONDAY, supply_open=False)
    assert (account.state.time_debt_1, account.state.time_debt_2) == (450, 480)


def test_a_change_to_credit_ends_the_want_of_credit_and_keeps_the_debts() -> None:
    state = AccountState(meter_balance=-50, accumulated_debt=7, credit_cause=True)
    account = Account(state, Rules(emergency_limit=100, emergency_threshold=10))
    events = account.set_mode(prepayment=False, suspend_debt_emergency=True, suspend_debt_disabled=True)
    assert events == (AccountEvent.CREDIT_BACK,)
    assert figures(account) == (-50, None, 7, 0)
    again = account.set_mode(prepayment=True, suspend_debt_emergency=False, suspend_debt_disabled=False)
    assert (again, state.credit_cause) == ((), False)
    told = account.energy(1, 1)
    assert told == (AccountEvent.LOW_CREDIT, AccountEvent.EMERGENCY_AVAILABLE, AccountEvent.CREDIT_GONE)
    assert state.credit_cause


def test_a_new_limit_keeps_what_is_owed() -> None:
    state = AccountState(emergency=EmergencyState.IN_USE, emergency_balance=400)
    account = Account(state, Rules(emergency_limit=1_000))
    before = account.worth
    account.configure(Rules(emergency_limit=2_000))
    assert (state.emergency_balance, account.worth) == (1_400, before)
    account.configure(Rules(emergency_limit=500))
    assert (state.emergency_balance, account.worth) == (0, before)


def test_a_reset_leaves_nothing() -> None:
    state = AccountState(
        meter_balance=-5, accumulated_debt=9, emergency=EmergencyState.IN_USE, emergency_balance=4
    )
    account = Account(state, Rules(emergency_limit=1_000))
    account.reset_balance()
    assert figures(account) == (0, None, 0, 0)
    assert state.emergency_balance == 1_000


def test_debt_to_clear_names_all_that_comes_first() -> None:
    state = AccountState(
        meter_balance=-500, accumulated_debt=200, payment_debt=90, emergency=EmergencyState.EXHAUSTED
    )
    account = Account(state, Rules(emergency_limit=300, per_payment=1_000))
    assert account.debt_to_clear() == 1_000 + 90


def test_a_state_survives_memory() -> None:
    account = example_2()
    to_midnight(account)
    account.top_up(500_000, MONDAY)
    kept = account.state.to_json()
    assert AccountState.from_json(kept) == account.state
    with pytest.raises(ValueError, match="not the state"):
        AccountState.from_json({"meter_balance": 3})


@pytest.mark.parametrize("wrong", [{"emergency_limit": -1}, {"per_payment": 10_001}, {"rate_cap": -1}])
def test_impossible_rules_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Rules(**wrong)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------ whatever happens

MONEY = st.integers(0, 3_000_000)
BOOLS = st.booleans()
OPTIONS = st.builds(
    Options,
    threshold_first=BOOLS,
    full_repay_first=BOOLS,
    inclusive_thresholds=BOOLS,
    suspend_covers_standing=BOOLS,
    cap_covers_time_debts=BOOLS,
    cap_week=st.sampled_from(CapWeek),
    minimum_credit_to_arm=st.sampled_from([0, 100_000]),
)
RULES = st.builds(
    Rules,
    disablement_threshold=st.integers(-1_000_000, 200_000),
    emergency_limit=st.sampled_from([0, 500_000, 1_500_000]),
    emergency_threshold=st.integers(0, 400_000),
    low_credit_threshold=st.integers(0, 800_000),
    per_payment=st.sampled_from([0, 1_000, 2_500, 10_000]),
    rate_cap=st.sampled_from([0, 300_000]),
    time_debts=st.tuples(
        *[st.builds(TimeDebt, rate=st.integers(0, 90_000), period=st.sampled_from(DebtPeriod))] * 2
    ),
)


class Life(RuleBasedStateMachine):
    """Any steps in any order: money is conserved after each (I16), emergency credit stays within its limit
    (I6), debts paid and debts left are the debts set (I13), a top-up within the limits never lifts the
    balance above its maximum (I7)."""

    @initialize(rules=RULES, options=OPTIONS, debts=st.tuples(MONEY, MONEY, MONEY))
    def begin(self, rules: Rules, options: Options, debts: tuple[int, int, int]) -> None:
        self.now = MONDAY
        state = AccountState(emergency_balance=rules.emergency_limit)
        self.account = Account(state, rules, options)
        self.account.set_debts(time_debt_1=debts[0], time_debt_2=debts[1], payment_debt=debts[2])
        self.account.settle()
        self.expected = self.account.worth
        self.owed = sum(debts)
        self.paid = 0

    def debts(self) -> int:
        state = self.account.state
        return state.time_debt_1 + state.time_debt_2 + state.payment_debt

    @rule(energy=st.integers(0, 40 * KWH), price=st.integers(0, 60_000))
    def uses_energy(self, energy: int, price: int) -> None:
        state = self.account.state
        total = energy * price + state.remainder
        self.account.energy(energy, price)
        self.expected -= total // KWH
        assert state.remainder == total % KWH

    @rule(amount=st.integers(0, 80_000))
    def standing(self, amount: int) -> None:
        state, options = self.account.state, self.account.options
        spared = (
            options.suspend_covers_standing
            and state.credit_cause
            and state.prepayment
            and state.suspend_debt_disabled
        )
        self.account.standing_charge(amount, supply_open=state.credit_cause)
        self.expected -= 0 if spared else amount

    @rule(period=st.sampled_from(DebtPeriod), hours=st.integers(0, 60))
    def debt_tick(self, period: DebtPeriod, hours: int) -> None:
        self.now += timedelta(hours=hours)
        before = self.debts()
        self.account.debt_tick(period, self.now, supply_open=self.account.state.credit_cause)
        taken = before - self.debts()
        assert taken >= 0
        self.paid += taken
        self.expected -= taken

    @rule(value=MONEY)
    def top_up(self, value: int) -> None:
        account = self.account
        maximum = max(account.state.meter_balance, 0) + 1_000_000
        account.rules = replace(account.rules, maximum_balance=maximum)
        if account.exceeds_maximum_balance(value, self.now):
            return
        credit, cause = account.credit, account.state.credit_cause
        split, events = account.top_up(value, self.now)
        assert split.value == value
        assert min(split.debt, split.accumulated_debt, split.emergency, split.balance) >= 0
        assert account.state.meter_balance <= maximum
        if credit > account.rules.disablement_threshold and not cause:
            assert not account.state.credit_cause, "a top-up cut the supply"
            assert AccountEvent.CREDIT_GONE not in events
        released = not account.state.emergency.taken
        assert account.credit >= credit or released or account.options.full_repay_first
        self.paid += split.debt
        self.expected += value - split.debt

    @rule(value=st.integers(-500_000, 500_000))
    def adjust(self, value: int) -> None:
        self.account.adjust_balance(value)
        self.expected += value

    @rule()
    def activate(self) -> None:
        available = self.account.state.emergency
        done, _ = self.account.activate_emergency_credit()
        if done and self.account.state.prepayment:
            assert available is not EmergencyState.UNAVAILABLE

    @rule(flags=st.tuples(BOOLS, BOOLS, BOOLS))
    def mode(self, flags: tuple[bool, bool, bool]) -> None:
        self.account.set_mode(
            prepayment=flags[0], suspend_debt_emergency=flags[1], suspend_debt_disabled=flags[2]
        )

    @rule(limit=st.sampled_from([0, 500_000, 1_500_000]))
    def new_limit(self, limit: int) -> None:
        self.account.configure(replace(self.account.rules, emergency_limit=limit))

    @rule()
    def night(self) -> None:
        self.account.begin_non_disablement()

    @rule()
    @precondition(lambda self: self.account.state.non_disablement)
    def morning(self) -> None:
        self.account.end_non_disablement()

    @rule()
    def power_cut(self) -> None:
        account = self.account
        state = AccountState.from_json(account.state.to_json())
        self.account = Account(state, account.rules, account.options)

    @rule()
    def reset(self) -> None:
        self.account.reset_balance()
        self.expected = 0

    @rule()
    def forecast(self) -> None:
        """No charge below the forecast changes anything that is to be told."""
        account = self.account
        distance = account.charge_to_next_event()
        if distance is not None and distance > 1:
            copy = Account(replace(account.state, remainder=0), account.rules, account.options)
            known = (copy.state.emergency.taken, copy.state.credit_cause, copy.state.low_credit)
            assert copy.energy(KWH, distance - 1) == ()
            assert (copy.state.emergency.taken, copy.state.credit_cause, copy.state.low_credit) == known

    @invariant()
    def money_is_conserved(self) -> None:
        assert self.account.worth == self.expected

    @invariant()
    def emergency_credit_is_within_its_limit(self) -> None:
        account = self.account
        assert 0 <= account.state.emergency_balance <= account.rules.emergency_limit
        if account.state.emergency.taken:
            assert account.state.emergency_balance + account.emergency_owed == account.rules.emergency_limit

    @invariant()
    def debts_are_accounted_for(self) -> None:
        assert self.paid + self.debts() == self.owed
        assert self.account.state.accumulated_debt >= 0


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)


@given(RULES, st.lists(st.tuples(st.integers(0, 3), st.integers(0, 900_000)), max_size=25))
@settings(max_examples=40, deadline=None)
def test_both_orders_of_a_top_up_give_the_same_credit_debts_and_events(
    rules: Rules, steps: list[tuple[int, int]]
) -> None:
    def run(account: Account, kind: int, amount: int) -> tuple[AccountEvent, ...]:
        if kind == 0:
            return account.energy(amount * 10, PRICE)
        if kind == 1:
            return account.standing_charge(amount // 10, supply_open=False)
        if kind == 2:
            return account.top_up(amount, MONDAY)[1]
        return account.activate_emergency_credit()[1]

    first, second = (
        Account(AccountState(emergency_balance=rules.emergency_limit, payment_debt=200_000), rules, options)
        for options in (Options(), Options(threshold_first=True))
    )
    for kind, amount in steps:
        told, told_too = run(first, kind, amount), run(second, kind, amount)
        assert told == told_too
        assert first.credit == second.credit
        assert first.state.accumulated_debt == second.state.accumulated_debt
        assert first.state.credit_cause == second.state.credit_cause
