"""Schedules: made, read, deleted; run once each time, over restarts; and what ends them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from smetslab.dcc.schedules import Schedule, next_run, run_elements
from smetslab.duis.codes import UserRole
from smetslab.duis.dcc_alerts import read_dcc_alert
from smetslab.duis.document import OtherBody, OtherPayload, parse_response
from smetslab.duis.srv import SERVICE_REQUESTS
from smetslab.errors import DuisError
from smetslab.ids import Eui64
from smetslab.registry import DeviceStatus

OPERATOR = Eui64.parse("90B3D51F30020000")
ESME = Eui64.parse("00DB1234567890A0")
HUB = Eui64.parse("00DB1234567890A2")
GSME = Eui64.parse("00DB1234567890A1")
DAILY = {
    "ScheduleFrequency": "Daily",
    "ScheduleStartDate": "2026-03-02",
    "DSPScheduledServiceReference": "4.2",
    "DSPScheduledServiceReferenceVariant": "4.2",
    "DeviceID": str(ESME),
    "DSPReadInstantaneousExportRegisters": {},
}
DAY_S = 86_400


async def create(ask, bench, elements=DAILY, user="operator") -> int:
    answer = await ask(bench, "5.1", elements, user)
    assert answer.code == "I0", answer
    assert isinstance(answer.payload, OtherPayload)
    return int(answer.payload.element.text)


def scheduled(seen) -> list[tuple[str, int]]:
    """Day and schedule of every scheduled message that was handed out."""
    found = []
    for delivery in seen:
        response = parse_response(delivery.document)
        payload = response.payload
        if isinstance(payload, OtherPayload) and payload.element.name == "DSPScheduledMessage":
            assert (response.request_id, response.code) == (None, "I0")
            assert (response.response_id.originator, response.response_id.target) == (ESME, OPERATOR)
            found.append((response.date_time.date().isoformat(), int(payload.element.children[1].text)))
    return found


def told(bench) -> list[tuple[str, object]]:
    bodies = [parse_response(document).body for document in bench.dcc.alerts]
    return [read_dcc_alert(body.element)[1:] for body in bodies if isinstance(body, OtherBody)]


# Running ----------------------------------------------------------------------------------------------------


def test_a_schedule_runs_each_day_and_says_whose_run_it_was(play, ask, schema) -> None:
    async def story(bench) -> None:
        seen = []
        bench.dcc.subscribe(seen.append)
        number = await create(ask, bench)
        await bench.clock.sleep(3.5 * DAY_S)
        assert scheduled(seen) == [(f"2026-03-0{day}", number) for day in (2, 3, 4)]
        assert len(bench.esme.received) == 3
        if schema is not None:
            for delivery in seen:
                schema.validate(delivery.document)

    play(story)


def test_a_restart_runs_nothing_twice_and_of_missed_runs_one(play, ask) -> None:
    async def story(bench) -> None:
        await create(ask, bench)
        await bench.clock.sleep(1.5 * DAY_S)
        await bench.dcc.__aexit__(None, None, None)
        async with bench.another():
            await bench.clock.sleep(3600)
            assert len(bench.esme.received) == 1
        await bench.clock.sleep(3 * DAY_S)
        async with bench.another():
            await bench.clock.sleep(3600)
            assert len(bench.esme.received) == 2
            await bench.clock.sleep(DAY_S)
            assert len(bench.esme.received) == 3

    play(story)


def test_a_users_own_counter_does_not_rise_by_a_schedule(play, ask) -> None:
    async def story(bench) -> None:
        await create(ask, bench)
        await bench.clock.sleep(1.5 * DAY_S)
        assert len(bench.esme.received) == 1
        assert (await bench.operator.request("4.2", ESME, counter=2000)).code == "I0"

    play(story)


def test_a_run_without_response_is_a_command_failure_and_the_schedule_goes_on(play, ask) -> None:
    async def story(bench) -> None:
        number = await create(ask, bench)
        bench.esme.silent = True
        await bench.clock.sleep(1.5 * DAY_S)
        [(kind, members)] = told(bench)
        assert kind == "CommandFailure"
        assert members["DSPScheduleID"] == number
        bench.esme.silent = False
        seen = []
        bench.dcc.subscribe(seen.append)
        await bench.clock.sleep(DAY_S)
        assert len(scheduled(seen)) == 1

    play(story)


def test_a_user_who_may_not_ask_any_more_loses_the_schedule(play, ask) -> None:
    async def story(bench) -> None:
        number = await create(ask, bench)
        meter = bench.inventory.find(ESME)
        others = tuple(item for item in meter.responsible if item.party != OPERATOR)
        bench.inventory.update(replace(meter, responsible=others))
        await bench.clock.sleep(1.5 * DAY_S)
        assert told(bench) == [("DSPScheduleRemoval", {"DeviceID": str(ESME), "DSPScheduleID": number})]
        assert (await ask(bench, "5.2", {"DSPScheduleID": number}, "operator")).code == "E050201"

    play(story)


def test_decommissioning_ends_the_schedules_of_a_device(play, ask) -> None:
    async def story(bench) -> None:
        number = await create(ask, bench)
        await ask(bench, "8.3", {"DeviceID": str(ESME)})
        assert ("DSPScheduleRemoval", {"DeviceID": str(ESME), "DSPScheduleID": number}) in told(bench)
        await bench.clock.sleep(2 * DAY_S)
        assert bench.esme.received == []

    play(story)


def test_a_suspended_device_fails_its_run_and_keeps_its_schedule(play, ask) -> None:
    async def story(bench) -> None:
        number = await create(ask, bench)
        bench.inventory.set_status(ESME, DeviceStatus.SUSPENDED)
        await bench.clock.sleep(1.5 * DAY_S)
        assert [kind for kind, _ in told(bench)] == ["CommandFailure"]
        assert (await ask(bench, "5.2", {"DSPScheduleID": number}, "operator")).code == "I0"

    play(story)


# 5.1 to 5.3 -------------------------------------------------------------------------------------------------


def test_schedules_are_read_and_deleted_by_number_or_device_and_only_ones_own(play, ask) -> None:
    async def story(bench) -> None:
        first = await create(ask, bench)
        second = await create(ask, bench, {**DAILY, "ScheduleFrequency": "Monthly"})
        answer = await ask(bench, "5.2", {"DeviceID": str(ESME)}, "operator")
        numbers = [int(one.children[0].text) for one in answer.payload.element.children]
        assert numbers == [first, second]
        assert (await ask(bench, "5.2", {"DSPScheduleID": first}, "supplier")).code == "E050201"
        assert (await ask(bench, "5.3", {"DSPScheduleID": first}, "supplier")).code == "E050301"
        assert (await ask(bench, "5.3", {"DSPScheduleID": first}, "operator")).code == "I0"
        assert (await ask(bench, "5.3", {"DSPScheduleID": first}, "operator")).code == "E050301"
        assert (await ask(bench, "5.3", {"DeviceID": str(ESME)}, "operator")).code == "I0"
        assert (await ask(bench, "5.2", {"DeviceID": str(ESME)}, "operator")).code == "E050202"
        assert (await ask(bench, "5.3", {"DeviceID": str(ESME)}, "operator")).code == "E050302"

    play(story)


def test_a_schedule_shows_what_it_was_made_of(play, ask) -> None:
    async def story(bench) -> None:
        number = await create(ask, bench)
        answer = await ask(bench, "5.2", {"DSPScheduleID": number}, "operator")
        [schedule] = answer.payload.element.children
        details = {child.name: child.text for child in schedule.children[1].children}
        assert details["ScheduleFrequency"] == "Daily"
        assert details["DeviceID"] == ESME.dashed()
        assert "DSPReadInstantaneousExportRegisters" in details

    play(story)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"DeviceID": "00DB1234567890B0"}, "E19"),
        ({"DSPScheduledServiceReference": "4.6"}, "E050101"),
        ({"DSPScheduledServiceReferenceVariant": "4.6.1", "DSPScheduledServiceReference": "4.6"}, "E050102"),
        ({"DeviceID": str(HUB)}, "E050103"),
        ({"ScheduleEndDate": "2026-02-01"}, "E050107"),
        ({"ScheduleStartDate": "2026-02-31"}, "E050107"),
    ],
)
def test_a_schedule_that_cannot_run_is_refused(play, ask, change, code) -> None:
    async def story(bench) -> None:
        assert (await ask(bench, "5.1", {**DAILY, **change}, "operator")).code == code

    play(story)


def test_a_role_that_may_not_read_may_not_schedule_it(play, ask) -> None:
    async def story(bench) -> None:
        meter = bench.inventory.find(ESME)
        supplier = replace(meter.responsible[0], role=UserRole.EXPORT_SUPPLIER)
        bench.inventory.update(replace(meter, responsible=(*meter.responsible, supplier)))
        assert (await ask(bench, "5.1", DAILY, "supplier")).code == "I0"
        bench.users.replace(replace(bench.users.find(supplier.party), roles=(UserRole.IMPORT_SUPPLIER,)))
        assert (await ask(bench, "5.1", DAILY, "supplier")).code == "E050105"

    play(story)


def test_ninety_nine_schedules_a_device_are_enough(play, ask) -> None:
    async def story(bench) -> None:
        for _ in range(99):
            await create(ask, bench)
        assert (await ask(bench, "5.1", DAILY, "operator")).code == "E050108"

    play(story)


# When and what, without a DCC -------------------------------------------------------------------------------


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("frequency", "start", "now", "expected"),
    [
        ("Daily", "2026-03-02", "2026-03-01T12:00", "2026-03-02T06:30"),
        ("Daily", "2026-03-02", "2026-03-02T06:30", "2026-03-02T06:30"),
        ("Daily", "2020-01-01", "2026-03-02T06:31", "2026-03-03T06:30"),
        ("Weekly", "2026-03-02", "2026-03-02T07:00", "2026-03-09T06:30"),
        ("Monthly", "2026-01-31", "2026-02-01T00:00", "2026-02-28T06:30"),
        ("Monthly", "2026-01-31", "2026-03-01T00:00", "2026-03-31T06:30"),
        ("Quarterly", "2026-01-31", "2026-02-01T00:00", "2026-04-30T06:30"),
        ("Half-Yearly", "2024-08-29", "2026-01-01T00:00", "2026-02-28T06:30"),
        ("Yearly", "2024-02-29", "2026-01-01T00:00", "2026-02-28T06:30"),
    ],
)
def test_the_next_run_is_on_its_day(frequency: str, start: str, now: str, expected: str) -> None:
    elements = {
        "ScheduleFrequency": frequency,
        "ScheduleStartDate": start,
        "ScheduleExecutionStartTime": "06:30:00.00Z",
    }
    assert next_run(elements, moment(now)) == moment(expected)


def test_there_is_no_run_behind_the_last_day() -> None:
    elements = {
        "ScheduleFrequency": "Daily",
        "ScheduleStartDate": "2026-03-02",
        "ScheduleEndDate": "2026-03-03Z",
    }
    assert next_run(elements, moment("2026-03-02T12:00")) == moment("2026-03-03T00:00")
    assert next_run(elements, moment("2026-03-03T00:00"), past=moment("2026-03-03T00:00")) is None


def schedule_of(**elements: object) -> Schedule:
    return Schedule(
        number=1,
        user=OPERATOR,
        device=ESME,
        variant="4.6.1",
        elements=elements,
        due=None,  # type: ignore[arg-type]
    )


def test_offsets_become_a_period_around_the_day_of_the_run() -> None:
    schedule = schedule_of(
        KAPublicSecurityCredential="AB",
        DSPRetrieveImportDailyReadLog={
            "StartDateOffset": -1,
            "StartTime": "00:00:00.00Z",
            "EndDateOffset": 0,
            "EndTime": "12:30:00",
        },
    )
    assert run_elements(SERVICE_REQUESTS["4.6.1"], schedule, moment("2026-03-01T06:30")) == {
        "KAPublicSecurityCredentials": "AB",
        "ReadLogPeriod": {"StartDateTime": "2026-02-28T00:00:00Z", "EndDateTime": "2026-03-01T12:30:00Z"},
    }


def test_a_period_for_what_has_none_is_refused() -> None:
    schedule = schedule_of(
        DSPRetrieveImportDailyReadLog={
            "StartDateOffset": 0,
            "StartTime": "00:00:00",
            "EndDateOffset": 0,
            "EndTime": "00:00:00",
        }
    )
    with pytest.raises(DuisError, match="no period"):
        run_elements(SERVICE_REQUESTS["4.2"], schedule, moment("2026-03-01T06:30"))
