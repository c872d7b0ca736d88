"""The ledger: every step is kept whole or not at all, and what comes up is matched to what went down."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from smetslab.dcc.correlate import LOCAL_LIMIT, SEEN_LIMIT, Ledger
from smetslab.dcc.pending import FutureDated, Pending, Question
from smetslab.duis.document import RequestId
from smetslab.errors import StoreError
from smetslab.gbcs.codes import CounterFamily, Cra
from smetslab.gbcs.message import Message, OtherInformation
from smetslab.ids import Eui64
from smetslab.store import PowerCut, Store

USER = Eui64.parse("90B3D51F30010000")
BROKER = Eui64.parse("90B3D51F30000002")
DEVICE = Eui64.parse("00DB1234567890A0")
HUB = Eui64.parse("00DB1234567890A2")
LATER = "2030-01-15T09:00:00Z"


def entry(number: int = 0, counter: int = 1000, **changes: object) -> Pending:
    made = Pending(
        number=number,
        question=Question(RequestId(USER, DEVICE, counter, "as received"), "6.4", "6.4.1"),
        state="ready",
        use_case="ECS28a",
        device=DEVICE,
        hub=HUB,
        originator=USER,
        counter=counter,
        message=b"\xdd\x01",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def accept(ledger: Ledger, counter: int = 1000, **changes: object) -> Pending:
    return ledger.accept(
        lambda number: entry(number, counter, **changes),
        family=CounterFamily.ORDINARY,
        instructions=("one", "other"),
    )


def future_of(ledger: Ledger, counter: int = 1000) -> FutureDated | None:
    return ledger.future_dated(DEVICE, counter, 0x00CC, None)


def response(counter: int = 1000, addressee: Eui64 = USER, device: Eui64 = DEVICE) -> Message:
    return Message(
        cra=Cra.RESPONSE,
        originator_counter=counter,
        business_originator_id=device,
        business_target_id=addressee,
        other_information=OtherInformation(message_code=0x0043),
        content=b"",
    )


@pytest.fixture
def store():  # type: ignore[no-untyped-def]
    with Store() as opened:
        yield opened


def again(store: Store) -> Ledger:
    return Ledger(store.nvm("dcc"))


def test_an_accepted_request_is_there_after_a_restart_as_it_was(store: Store) -> None:
    ledger = again(store)
    moment = datetime(2030, 1, 15, 9, tzinfo=UTC)
    # The id must be readable: it is kept as it was received.
    question = Question(RequestId.parse(f"{USER.dashed().lower()}:{DEVICE.dashed()}:1000"), "6.4", "6.4.1")
    whole = {
        "question": question,
        "state": "held",
        "due": moment,
        "deadline": moment,
        "activation": LATER,
        "document": b"<xml/>",
    }
    kept = accept(ledger, **whole)
    assert again(store).pending() == ledger.pending() == (kept,)
    assert str(again(store).pending()[0].request_id) == str(question.request_id)


def test_a_request_moves_through_its_states_and_leaves_its_answer(store: Store) -> None:
    ledger = again(store)
    held = accept(ledger, state="held", question=_question(1000))
    assert ledger.match(response()) is None
    ready = replace(held, state="ready", originator=BROKER, counter=77)
    ledger.change(ready, broker_counter=77)
    assert ledger.match(response()) is None
    assert ledger.match(response(77, BROKER)) == ready
    sent = replace(ready, state="sent", deadline=datetime(2026, 1, 1, tzinfo=UTC))
    ledger.change(sent)
    assert again(store).match(response(77, BROKER)) == sent
    ledger.finish(sent, b"<final/>", identity="up-1")
    assert (ledger.pending(), ledger.match(response(77, BROKER)), ledger.get(sent.number)) == ((), None, None)
    later = again(store)
    assert (later.pending(), later.is_repeat("up-1"), later.is_repeat("up-2")) == ((), True, False)
    assert later.next_broker_counter(0) == 78
    found = later.outbox.answer_to(sent.request_id)
    assert found is not None
    assert found.document == b"<final/>"
    assert later.outbox.take(sent.number) == b"<final/>"
    assert (later.outbox.take(sent.number), later.outbox.answer_to(sent.request_id)) == (None, None)


def _question(counter: int) -> Question:
    return Question(RequestId(USER, DEVICE, counter), "6.4", "6.4.1")


@pytest.mark.parametrize(
    "other",
    [response(1001), response(addressee=BROKER), response(device=HUB)],
    ids=["counter", "addressee", "device"],
)
def test_a_response_belongs_to_one_device_addressee_and_counter(store: Store, other: Message) -> None:
    ledger = again(store)
    kept = accept(ledger, question=_question(1000))
    assert ledger.match(response()) == kept
    assert ledger.match(other) is None


def test_of_two_commands_with_one_counter_the_one_of_the_message_code_is_answered(store: Store) -> None:
    ledger = again(store)
    accept(ledger, question=_question(1000), use_case="CS01a")
    second = accept(ledger, question=_question(1000))
    assert ledger.match(response()) == second


def test_of_two_commands_with_one_counter_the_older_is_answered_first(store: Store) -> None:
    ledger = again(store)
    first, second = (accept(ledger, question=_question(1000)) for _ in range(2))
    assert ledger.match(response()) == first
    ledger.finish(first, b"1")
    assert ledger.match(response()) == second
    ledger.finish(second, b"2")
    latest = ledger.outbox.answer_to(second.request_id)
    assert latest is not None
    assert (latest.number, latest.document) == (second.number, b"2")


def test_counters_only_rise_and_families_do_not_mix(store: Store) -> None:
    ledger = again(store)
    assert ledger.last_counter(USER, DEVICE, CounterFamily.ORDINARY) is None
    for counter in (1000, 5, 1001):
        accept(ledger, counter, question=_question(counter))
    ledger.note_counters(RequestId(USER, DEVICE, 1 << 33), CounterFamily.UTRN, None)
    later = again(store)
    assert later.last_counter(USER, DEVICE, CounterFamily.ORDINARY) == 1001
    assert later.last_counter(USER, DEVICE, CounterFamily.UTRN) == 1 << 33
    assert later.last_counter(USER, HUB, CounterFamily.ORDINARY) is None


def test_the_broker_counter_is_never_below_the_floor_nor_the_last(store: Store) -> None:
    ledger = again(store)
    assert ledger.next_broker_counter(100) == 100
    ledger.note_counters(RequestId(USER, DEVICE, 1), CounterFamily.ORDINARY, 100)
    assert ledger.next_broker_counter(50) == 101
    assert ledger.next_broker_counter(200) == 200


def test_outcomes_are_counted_until_the_last(store: Store) -> None:
    ledger = again(store)
    accept(ledger, question=_question(1000), activation=LATER)
    future = future_of(ledger)
    assert future == FutureDated(
        question=_question(1000), use_case="ECS28a", number=1, counter=1000, instructions=("one", "other")
    )
    ledger.keep_outcome(b"1", "up-1", future, 2)
    ledger.keep_outcome(b"again", "up-2", future_of(again(store)), 2)  # type: ignore[arg-type]
    half = future_of(again(store))
    assert half == replace(future, reported=(2,))
    ledger.keep_outcome(b"2", "up-3", half, 1)
    later = again(store)
    assert future_of(later) is None
    assert later.outbox.alerts() == [b"1", b"again", b"2"]
    assert all(later.is_repeat(f"up-{number}") for number in (1, 2, 3))


@pytest.mark.parametrize("activation", [None, "never"])
def test_only_a_moment_makes_a_command_future_dated(store: Store, activation: str | None) -> None:
    ledger = again(store)
    accept(ledger, question=_question(1000), activation=activation)
    assert future_of(ledger) is None


def test_a_cancellation_forgets_earlier_commands_of_its_kind_only(store: Store) -> None:
    ledger = again(store)
    for counter, use_case in ((1000, "ECS28a"), (1001, "ECS02")):
        accept(ledger, counter, question=_question(counter), activation=LATER, use_case=use_case)
    cancel = accept(ledger, 1002, question=_question(1002), activation="never")
    accept(ledger, 1003, question=_question(1003), activation=LATER)
    ledger.finish(cancel, b"", forget_future=True)
    left = [counter for counter in range(1000, 1004) if future_of(ledger, counter)]
    assert left == [1001, 1003]


def test_identities_are_remembered_up_to_a_limit(store: Store) -> None:
    ledger = again(store)
    for number in range(SEEN_LIMIT + 10):
        ledger.note_seen(f"up-{number}")
    for one in (ledger, again(store)):
        assert one.is_repeat(f"up-{SEEN_LIMIT + 9}")
        assert not one.is_repeat("up-0")
        assert sum(one.is_repeat(f"up-{number}") for number in range(SEEN_LIMIT + 10)) <= SEEN_LIMIT


def test_the_end_of_a_sequenced_request_is_remembered_and_no_others(store: Store) -> None:
    ledger = again(store)
    for counter, sequenced, succeeded in ((1, True, True), (2, True, False), (3, False, True)):
        kept = accept(ledger, counter, question=_question(counter), sequenced=sequenced)
        ledger.finish(kept, b"", succeeded=succeeded)
    ends = [again(store).end_of(RequestId(USER, DEVICE, counter)) for counter in (1, 2, 3)]
    assert ends == [True, False, None]


def test_commands_for_local_delivery_are_matched_but_not_waited_for_and_bounded(store: Store) -> None:
    ledger = again(store)
    for counter in range(LOCAL_LIMIT + 1):
        accept(ledger, counter, question=_question(counter), state="local")
    later = again(store)
    assert later.pending() == ()
    assert later.match(response(0)) is None
    newest = later.match(response(LOCAL_LIMIT))
    assert newest is not None
    assert newest.state == "local"


STEPS = ("begin", "counted", "deleted", "written", "committed")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("what", ["accept", "finish"])
def test_a_cut_in_the_middle_leaves_all_or_nothing(what: str, step: str) -> None:
    armed: list[str] = []

    def cut(name: str) -> None:
        if armed and name == armed[0]:
            armed.clear()
            raise PowerCut("cut")

    with Store(on_step=cut) as store:
        ledger = again(store)
        kept = accept(ledger, question=_question(1000))
        before = _state(again(store))
        armed.append(step)
        with pytest.raises(PowerCut):
            if what == "accept":
                accept(ledger, 1001, question=_question(1001))
            else:
                ledger.finish(kept, b"<final/>", identity="up-1")
        after = _state(again(store))
        if step == "committed":
            done = (("<1000>", "<1001>"), (), 1001) if what == "accept" else ((), ("<1000>",), 1000)
            assert after == done
        else:
            assert after == before == (("<1000>",), (), 1000)


def _state(ledger: Ledger) -> tuple[tuple[str, ...], tuple[str, ...], int | None]:
    pending = tuple(f"<{one.request_id.counter}>" for one in ledger.pending())
    answered = tuple(f"<{c}>" for c in (1000, 1001) if ledger.outbox.answer_to(RequestId(USER, DEVICE, c)))
    return pending, answered, ledger.last_counter(USER, DEVICE, CounterFamily.ORDINARY)


@pytest.mark.parametrize("damage", [b"[]", b"{}", b"no", b'{"number": "x"}'])
def test_damaged_memory_is_one_clear_error(store: Store, damage: bytes) -> None:
    with store.nvm("dcc").transaction() as transaction:
        transaction.put("pending/000000000001", damage)
    with pytest.raises(StoreError, match="memory"):
        again(store)
