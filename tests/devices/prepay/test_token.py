"""Codes: the order of their checks, codes by hand, the cache, and the lock of the keypad."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from smetslab.devices.prepay.account import Account
from smetslab.devices.prepay.lockout import DOUBLING, IN_A_ROW, LockOut
from smetslab.devices.prepay.records import Amount, PaymentRecords
from smetslab.devices.prepay.rules import Rules
from smetslab.devices.prepay.state import AccountState
from smetslab.devices.prepay.token import Genuine, Refusal, Rejected, TokenContext, judge_token
from smetslab.gbcs.utrn import COUNTER_UNIT, ValueClass, build_utrn, check_digit
from smetslab.ids import Eui64

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
SUPPLIER, DEVICE = Eui64.parse("90B3D51F30010000"), Eui64.parse("00DB1234567890A0")
SECRET = bytes(range(32))
RULES = Rules(maximum_credit=5_000_000, maximum_balance=6_000_000)


def code(counter: int, pounds: int, *, device: Eui64 = DEVICE, secret: bytes = SECRET) -> str:
    return build_utrn(
        counter=counter * COUNTER_UNIT,
        value_class=ValueClass.POUNDS,
        value=pounds,
        secret=secret,
        supplier=SUPPLIER,
        device=device,
    ).digits


def judge(
    text: str, *, counter: int | None = None, highest: int = 0, seen: tuple[int, ...] = (), balance: int = 0
) -> Genuine | Rejected:
    context = TokenContext(
        supplier=SUPPLIER,
        device=DEVICE,
        counter=None if counter is None else counter * COUNTER_UNIT,
        highest=highest * COUNTER_UNIT,
        secret=SECRET,
        refuses=lambda value: value // COUNTER_UNIT in seen,
    )
    return judge_token(text, context, Account(AccountState(meter_balance=balance), RULES), NOW)


def test_a_good_code_gives_its_counter_and_value() -> None:
    assert judge(code(3, 10), counter=3) == Genuine(3 * COUNTER_UNIT, 1_000_000)


@pytest.mark.parametrize(("number", "highest"), [(5, 0), (1030, 1020), (1020, 1030), (5_000_000, 4_999_900)])
def test_the_counter_of_a_code_by_hand_is_rebuilt_from_the_highest_known(number: int, highest: int) -> None:
    assert judge(code(number, 10), highest=highest) == Genuine(number * COUNTER_UNIT, 1_000_000)


def test_a_code_by_hand_that_is_too_far_ahead_is_not_authentic() -> None:
    assert judge(code(5_000, 10), highest=1) == Rejected(Refusal.NOT_AUTHENTIC)


def wrong_digit() -> str:
    good = code(3, 10)
    return good[:-1] + str((int(good[-1]) + 1) % 10)


def forged() -> str:
    body = str(int(code(3, 10)[:-1]) + 1)
    return body + check_digit(body)


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("123", Refusal.INCOMPLETE),
        ("x" * 20, Refusal.INCOMPLETE),
        ("1" * 40, Refusal.INCOMPLETE),
        (wrong_digit(), Refusal.WRONG_DIGIT),
        (forged(), Refusal.NOT_AUTHENTIC),
        (code(3, 10, device=SUPPLIER), Refusal.NOT_AUTHENTIC),
        (code(3, 10, secret=bytes(32)), Refusal.NOT_AUTHENTIC),
        (code(3, 51), Refusal.EXCEEDS_CREDIT),
        (code(3, 40), Refusal.EXCEEDS_BALANCE),
    ],
)
def test_what_is_refused_and_why(text: str, refusal: Refusal) -> None:
    assert judge(text, counter=3, balance=2_000_001) == Rejected(refusal)


def test_the_mac_is_checked_before_the_cache_and_the_cache_before_the_limits() -> None:
    assert judge(forged(), counter=3, seen=(3,)) == Rejected(Refusal.NOT_AUTHENTIC)
    assert judge(code(3, 51), counter=3, seen=(3,)) == Rejected(Refusal.DUPLICATE)
    assert judge(code(3, 51), counter=3, balance=6_000_000) == Rejected(Refusal.EXCEEDS_CREDIT)


def test_a_code_of_nothing_is_good_at_the_largest_balance() -> None:
    assert judge(code(3, 0), counter=3, balance=6_000_000) == Genuine(3 * COUNTER_UNIT, 0)


# ------------------------------------------------------------------------------------ the keypad


def test_five_wrong_codes_in_ten_minutes_lock_for_an_hour() -> None:
    lock = LockOut()
    moments = [NOW + timedelta(minutes=2 * number) for number in range(5)]
    assert [lock.refuse(moment) for moment in moments] == [False] * 4 + [True]
    assert lock.locked(moments[-1] + timedelta(minutes=59))
    assert not lock.locked(moments[-1] + timedelta(minutes=60))


def test_five_wrong_codes_in_more_time_do_not_lock() -> None:
    lock = LockOut()
    assert not any(lock.refuse(NOW + timedelta(minutes=3 * number)) for number in range(20))


def test_a_right_code_clears_the_count() -> None:
    lock = LockOut(IN_A_ROW)
    for number in range(4):
        assert not lock.refuse(NOW + timedelta(days=number))
    lock.accept()
    assert not lock.refuse(NOW + timedelta(days=5))
    assert [lock.refuse(NOW + timedelta(days=6 + number)) for number in range(4)] == [False] * 3 + [True]


def test_a_doubling_lock_grows_to_sixteen_minutes() -> None:
    lock, now, seconds = LockOut(DOUBLING), NOW, []
    for _ in range(11):
        lock.refuse(now)
        seconds.append(0 if lock.until is None else int((lock.until - now).total_seconds()))
        now += timedelta(hours=1)
    assert seconds == [0, 0, 0, 0, 30, 60, 120, 240, 480, 960, 960]


def test_a_lock_survives_memory() -> None:
    lock = LockOut()
    for _ in range(5):
        lock.refuse(NOW)
    assert LockOut.from_json(lock.to_json()) == lock
    with pytest.raises(ValueError, match="lock"):
        LockOut.from_json([1])


# ------------------------------------------------------------------------------------ histories


def test_the_last_five_credits_and_ten_payments_are_kept() -> None:
    records = PaymentRecords()
    for number in range(12):
        records.credits.append(Amount(number, 1))
        records.debt_payments.append(Amount(number, 2))
    assert [item.seconds for item in records.credits] == [7, 8, 9, 10, 11]
    assert [item.seconds for item in records.debt_payments] == list(range(2, 12))
    assert PaymentRecords.from_json(records.to_json()) == records


@pytest.mark.parametrize("wrong", [None, [], [[], [[1]]], [[[1, "2"]], []], [[], [], []]])
def test_records_that_are_none_are_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="account"):
        PaymentRecords.from_json(wrong)  # type: ignore[arg-type]
