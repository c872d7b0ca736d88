"""How a display asks: what is due, again what was not answered, and the parts of a new calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smetslab.devices.display_asking import DAILY, DISPLAY_ROWS, RETRY, Asker, Question
from smetslab.devices.display_reading import ANSWERS_KEPT, Reading, ShownMeter
from smetslab.devices.display_server import ANSWERS
from smetslab.devices.han_frames import HanFrame, HanOutbox, answer, default_response
from smetslab.devices.zcl.calendar_table import TARIFF, CalendarTable
from smetslab.devices.zcl.calendar_told import CalendarTeller, HeldCalendar
from smetslab.gbcs.codes import DeviceType
from smetslab.ids import Eui64
from smetslab.zigbee.zcl import CLIENT_TO_SERVER, SERVER_TO_CLIENT, Command, find_command
from smetslab.zigbee.zcl.clusters.calendar import Calendar
from smetslab.zigbee.zcl.clusters.price import Price
from smetslab.zigbee.zcl.foundation import Status

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ESME = Eui64(b"A METER ")


class Bench:
    """One display's questions to one meter, without a meter."""

    def __init__(self) -> None:
        self.outbox = HanOutbox()
        self.asker = Asker(self.outbox, DISPLAY_ROWS)
        self.reading = Reading(ShownMeter(ESME, DeviceType.ESME))
        self.now = NOW

    def poll(self) -> dict[Command, HanFrame]:
        """The commands of a poll."""
        self.asker.ask(self.reading, self.now, self.now)
        found = {find_command(one.cluster, one.frame): one for one in self.outbox.take()}
        return {command: frame for command, frame in found.items() if command is not None}

    def hear(self, frame: HanFrame) -> bool:
        return self.asker.heard(self.reading, frame, self.now, self.now)

    def answer(self, question: HanFrame, **fields) -> bool:
        command = ANSWERS[find_command(question.cluster, question.frame)]
        return self.hear(answer(question, command, command.record(**fields)))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_every_question_has_an_answer_from_the_other_side_of_its_cluster() -> None:
    for question, answered in ANSWERS.items():
        assert (question.direction, answered.direction) == (CLIENT_TO_SERVER, SERVER_TO_CLIENT)
        assert question.cluster == answered.cluster
    assert {row.command for row in DISPLAY_ROWS if isinstance(row, Question)} <= ANSWERS.keys()


def test_what_is_not_answered_is_asked_again_and_what_is_answered_tomorrow(bench: Bench) -> None:
    first = bench.poll()
    assert Price.get_billing_period in first
    assert Price.get_billing_period not in bench.poll()
    bench.now += RETRY
    again = bench.poll()[Price.get_billing_period]
    assert bench.answer(
        again,
        provider_id=0,
        issuer_event_id=0,
        billing_period_start_time=1,
        billing_period_duration=2,
        billing_period_duration_type=0,
        tariff_type=0,
    )
    assert bench.reading.tariff.billing_period == (1, 2)
    bench.now += DAILY - timedelta(seconds=1)
    assert Price.get_billing_period not in bench.poll()
    bench.now += timedelta(seconds=1)
    assert Price.get_billing_period in bench.poll()


@pytest.mark.parametrize(("status", "wait"), [(Status.NOT_FOUND, DAILY), (Status.NOT_AUTHORIZED, RETRY)])
def test_a_meter_that_has_nothing_is_left_alone_and_one_that_does_not_know_the_display_is_not(
    bench: Bench, status: Status, wait: timedelta
) -> None:
    question = bench.poll()[Price.get_block_thresholds]
    assert bench.hear(default_response(question, status))
    assert bench.asker.refusals == 1
    bench.now += wait - timedelta(seconds=1)
    assert Price.get_block_thresholds not in bench.poll()
    bench.now += timedelta(seconds=1)
    assert Price.get_block_thresholds in bench.poll()


def test_the_parts_of_a_calendar_are_asked_for_when_its_head_has_come_and_only_then(bench: Bench) -> None:
    parts = {Calendar.get_day_profiles, Calendar.get_week_profiles, Calendar.get_seasons}
    head = bench.poll()[Calendar.get_calendar]
    assert not parts & bench.poll().keys()
    table = {
        "provider_id": 0,
        "issuer_event_id": 0,
        "issuer_calendar_id": 7,
        "start_time": 0,
        "calendar_type": TARIFF,
        "calendar_time_reference": 0,
        "calendar_name": b"",
        "number_of_seasons": 1,
        "number_of_week_profiles": 1,
        "number_of_day_profiles": 1,
    }
    assert bench.answer(head, **table)
    asked = {find_command(one.cluster, one.frame) for one in bench.outbox.take()}
    assert asked == parts
    assert bench.answer(head, **table)
    assert bench.outbox.take() == [], "it is the same calendar"


DATES = st.integers(1, 0xFFFFFFF)
SWITCHES = st.lists(st.tuples(st.integers(0, 1439), st.integers(0, 108)), min_size=1, max_size=48)


@st.composite
def tables(draw) -> CalendarTable:
    seasons = draw(st.lists(st.tuples(DATES, st.integers(1, 4)), max_size=4))
    weeks, days = draw(st.integers(1, 4)), draw(st.lists(SWITCHES, min_size=1, max_size=6))
    return CalendarTable(
        identifier=9,
        expected=(len(seasons), weeks, len(days)),
        seasons=tuple(seasons),
        weeks={number: (number,) * 7 for number in range(1, weeks + 1)},
        days={number: tuple(switches) for number, switches in enumerate(days, 1)},
    )


@settings(max_examples=30)
@given(
    table=tables(),
    special=st.lists(st.tuples(DATES, st.integers(1, 16)), max_size=50),
    most=st.integers(0, 20),
    order=st.randoms(use_true_random=False),
)
def test_a_calendar_comes_through_whole_in_any_order_of_its_parts(table, special, most, order) -> None:
    held = {TARIFF: HeldCalendar(table, tuple(special))}
    teller = CalendarTeller(lambda: held, lambda now: now, most=most)
    reading = Reading(ShownMeter(ESME, DeviceType.ESME))
    asked = {
        Calendar.get_day_profiles: (teller.days, {"start_day_id": 0, "number_of_days": 0}),
        Calendar.get_week_profiles: (teller.weeks, {"start_week_id": 0, "number_of_weeks": 0}),
        Calendar.get_seasons: (teller.seasons, {}),
        Calendar.get_special_days: (
            teller.special_days,
            {"start_time": 0, "number_of_events": 0, "calendar_type": TARIFF},
        ),
    }
    told: list[tuple[Command, object]] = []
    for question, (tell, fields) in asked.items():
        record = question.record(provider_id=0, issuer_calendar_id=9, **fields)
        told += [(ANSWERS[question], one) for one in tell(NOW, record)]
    head = Calendar.get_calendar.record(
        earliest_start_time=0,
        minimum_issuer_event_id=0,
        number_of_calendars=0,
        calendar_type=TARIFF,
        provider_id=0,
    )
    [first] = teller.calendars(NOW, head)
    reading.take(Calendar.publish_calendar, first)
    order.shuffle(told)
    for command, record in told:
        reading.take(command, command.decode(command.encode(record)))
    assert reading.calendars == {TARIFF: table}
    assert reading.special_days == {TARIFF: tuple(special)}
    view = reading.calendar(TARIFF)
    assert view is not None
    assert reading.pieces == {}


def test_answers_that_never_become_complete_are_given_up(bench: Bench) -> None:
    command = Price.publish_price_matrix
    for number in range(2 * ANSWERS_KEPT):
        record = command.record(
            provider_id=0,
            issuer_event_id=0,
            start_time=0,
            issuer_tariff_id=number,
            command_index=0,
            number_of_commands=2,
            sub_payload_control=0,
            price_entries=[],
        )
        assert bench.reading.gather((command, number), record, [number]) == []
    assert len(bench.reading.pieces) == ANSWERS_KEPT
    last = command.record(**{**dict(record.items()), "command_index": 1})
    assert bench.reading.gather((command, 2 * ANSWERS_KEPT - 1), last, [7]) == [2 * ANSWERS_KEPT - 1, 7]
