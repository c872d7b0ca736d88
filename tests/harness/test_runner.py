"""The runner: what a body does, and which verdict and records become of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

import pytest

from smetslab.errors import CodecError, LocalProtocolError, RemoteProtocolError
from smetslab.harness.case import CaseRegistry, check, expect, inconclusive, require, step
from smetslab.harness.decoding import Decoders, Field
from smetslab.harness.judge import NO_CHECK
from smetslab.harness.records import BenchReady, CaseStarted, Checked, Observed, Record, StepStarted
from smetslab.harness.runner import CaseResult, run_suite
from smetslab.harness.suite import BenchSetup, SuiteDefinition
from smetslab.harness.verdict import Verdict
from smetslab.rng import RootSeed

Body = Callable[[Any], Awaitable[None]]
Perform = Callable[..., CaseResult]


@pytest.fixture
def perform(toy: ModuleType) -> Perform:
    """Runs a body as the only case of a suite on the toy bench."""

    def run(body: Body, *, defect: str = "", limit_s: float = 3600, **options: Any) -> CaseResult:
        case = CaseRegistry().case(
            "BODY", version=1, title="Body", kind="test", obligations=("F4.3-C1",), limit_s=limit_s
        )(body)
        suite = SuiteDefinition(name="one", title="One", version=1, cases=(case,), prepare=toy.prepare)
        setup = options.pop("setup", None) or toy.setup(defect)
        [result] = run_suite(suite, setup, 7, **options).results
        return result

    return run


def test_a_suite_runs_in_order_and_gives_a_verdict_to_each_case(toy: ModuleType) -> None:
    result = run_suite(toy.suite(), toy.setup(), 7)
    assert [(entry.case, entry.verdict.word) for entry in result.results] == [
        ("TOY-READ", "pass"),
        ("TOY-COUNTER-equal", "pass"),
        ("TOY-COUNTER-lower", "pass"),
        ("TOY-OPEN", "inconclusive"),
        ("TOY-RULES", "pass"),
    ]
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.records[-1].model_dump() == {
        "record": "run-ended",
        "verdict": "inconclusive",
        "counts": {"pass": 4, "inconclusive": 1},
        "not_run": 1,
    }


@pytest.mark.parametrize(
    ("defect", "failing"),
    [
        ("wrong reading", {"TOY-READ", "TOY-RULES"}),
        ("accepts replay", {"TOY-COUNTER-equal", "TOY-COUNTER-lower"}),
    ],
)
def test_a_defective_device_fails_the_cases_about_its_defect(
    toy: ModuleType, defect: str, failing: set[str]
) -> None:
    result = run_suite(toy.suite(), toy.setup(defect), 7)
    assert {entry.case for entry in result.results if entry.verdict is Verdict.FAIL} == failing
    assert result.verdict is Verdict.FAIL


def test_only_a_stated_yes_runs_a_case(toy: ModuleType) -> None:
    suite = toy.suite("TOY-SUPPLY", "TOY-COUNTER-equal", "TOY-READ")
    result = run_suite(suite, toy.setup(capabilities={"counting": False}), 7)
    assert [entry.case for entry in result.results] == ["TOY-READ"]
    assert [(entry.case, entry.applicability) for entry in result.not_run] == [
        ("TOY-COUNTER-equal", "no"),
        ("TOY-SUPPLY", "not stated"),
    ]
    assert "supply switch" in result.not_run[1].reason
    assert result.verdict is Verdict.PASS


def test_a_run_in_which_nothing_applies_is_no_pass(toy: ModuleType) -> None:
    result = run_suite(toy.suite("TOY-SUPPLY"), toy.setup(), 7)
    assert result.verdict is Verdict.NONE
    assert result.verdict.exit_code == 4


def test_equal_seeds_give_equal_records_and_others_do_not(toy: ModuleType) -> None:
    def records(seed: int) -> tuple[Record, ...]:
        return run_suite(toy.suite(), toy.setup("crash"), seed, decoders=toy.DECODERS).records

    assert records(7) == records(7)
    assert records(7) != records(8)


def test_a_case_does_not_depend_on_the_others(toy: ModuleType) -> None:
    alone = run_suite(toy.suite("TOY-COUNTER-lower"), toy.setup(), 7).result("TOY-COUNTER-lower")
    together = run_suite(toy.suite(), toy.setup(), 7).result("TOY-COUNTER-lower")
    assert alone.records == together.records


def test_records_stand_in_the_order_of_what_happened(toy: ModuleType) -> None:
    seen: list[Record] = []
    result = run_suite(toy.suite("TOY-READ"), toy.setup(), 7, decoders=toy.DECODERS, listeners=[seen.append])
    assert tuple(seen) == result.records
    kinds = [
        record.event if isinstance(record, Observed) else record.model_dump()["record"] for record in seen
    ]
    assert kinds == [
        "run-started",
        "case-started",
        "BenchBuilt",
        "bench-ready",
        "step-started",
        "RequestReceived",
        "MessageSent",
        "MessageReceived",
        "MessageSent",
        "ResponsePosted",
        "check",
        "check",
        "step-started",
        "check",
        "verdict",
        "run-ended",
    ]
    case = result.result("TOY-READ")
    assert [step.title for step in case.steps] == ["read the register", "look at the time"]
    assert [(check.step, check.outcome) for check in case.checks] == [(1, "pass"), (1, "pass"), (2, "pass")]
    assert case.checks[1].observations == (4,)
    assert case.observations[4].meaning == "Toy reply: counter 1"
    assert case.started == "2030-01-15T09:00:00.000000Z"
    assert case.finished == "2030-01-15T09:00:00.250000Z"


def test_the_first_failed_check_ends_the_case_and_is_its_reason(perform: Perform) -> None:
    async def body(_lab: Any) -> None:
        check("one", 1, equals=1)
        check("two", 2, at_most=1, spec="TOY 2")
        check("three", 3, equals=3)

    result = perform(body)
    assert (result.verdict, result.reason) == (Verdict.FAIL, "two: expected at most 1, found 2 (TOY 2)")
    assert [entry.what for entry in result.checks] == ["one", "two"]


def test_a_check_may_let_the_case_go_on(perform: Perform) -> None:
    answers: list[bool] = []

    async def body(_lab: Any) -> None:
        answers.append(check("one", 1, equals=2, stop=False))
        answers.append(check("two", 2, equals=2))

    result = perform(body)
    assert answers == [False, True]
    assert (result.verdict, result.reason) == (Verdict.FAIL, "one: expected 2, found 1")


def test_a_failed_precondition_and_a_stated_doubt_are_inconclusive(perform: Perform) -> None:
    async def precondition(_lab: Any) -> None:
        check("fine", 1, equals=1)
        require("commissioned", "Pending", equals="Commissioned")

    async def doubt(_lab: Any) -> None:
        check("fine", 1, equals=1)
        inconclusive("two answers at one moment")

    assert perform(precondition).verdict is Verdict.INCONCLUSIVE
    result = perform(doubt)
    assert (result.verdict, result.reason) == (Verdict.INCONCLUSIVE, "two answers at one moment")


def test_a_body_that_swallows_the_end_of_the_case_still_fails(perform: Perform) -> None:
    async def body(_lab: Any) -> None:
        try:
            check("one", 1, equals=2)
        except Exception:  # noqa: BLE001 - what a careless body might do
            check("two", 2, equals=2)

    assert perform(body).verdict is Verdict.FAIL


def test_a_check_inside_a_task_group_of_the_body_is_a_fail_not_an_error(perform: Perform) -> None:
    async def body(lab: Any) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(lab.clock.sleep(100))
            check("one", 1, equals=2)

    result = perform(body)
    assert (result.verdict, result.interruptions) == (Verdict.FAIL, ())


def test_a_case_without_a_check_decides_nothing(perform: Perform) -> None:
    async def body(_lab: Any) -> None:
        pass

    result = perform(body)
    assert (result.verdict, result.reason) == (Verdict.INCONCLUSIVE, NO_CHECK)


def test_an_exception_of_the_body_is_an_error_with_a_traceback_that_names_no_folder(perform: Perform) -> None:
    async def body(_lab: Any) -> None:
        check("fine", 1, equals=1)
        try:
            {}["inner"]
        except KeyError as error:
            raise ValueError(f"outer {object()!r}") from error

    result = perform(body)
    assert result.verdict is Verdict.ERROR
    assert result.reason == "ValueError: outer <object object at 0x…>"
    text = "\n".join(result.interruptions[0].traceback)
    assert "KeyError: 'inner'" in text
    assert "test_runner.py" in text
    assert "/" not in text


def test_a_broken_protocol_is_the_peers_fail(perform: Perform) -> None:
    async def body(_lab: Any) -> None:
        raise RemoteProtocolError("two answers to one command", spec="TOY 4")

    result = perform(body)
    assert result.verdict is Verdict.FAIL
    assert result.reason == (
        "no party breaks the protocol: expected nothing, found two answers to one command (TOY 4)"
    )


def test_expect_turns_silence_into_a_fail_and_an_observation_into_its_proof(perform: Perform) -> None:
    async def silence(lab: Any) -> None:
        await expect("the device answers", lab.trace.wait_for(lambda _seen: False, 30), spec="TOY 1")

    async def answer(lab: Any) -> None:
        reply = await expect("the device answers", lab.read())
        check("it is the reply", reply.data[0], equals=0x81)

    result = perform(silence)
    assert (result.verdict, result.reason) == (
        Verdict.FAIL,
        "the device answers: expected yes, found no (TOY 1)",
    )
    assert result.finished == "2030-01-15T09:00:30.000000Z"
    answered = perform(answer)
    assert answered.verdict is Verdict.PASS
    [number] = answered.checks[0].observations
    assert answered.observations[number].event == "MessageSent"


def test_a_timeout_nobody_expected_is_an_error(perform: Perform) -> None:
    async def body(lab: Any) -> None:
        await lab.trace.wait_for(lambda _seen: False, 30)

    result = perform(body)
    assert result.verdict is Verdict.ERROR
    assert "within 30 s" in result.reason


def test_a_case_is_given_up_at_its_limit_of_virtual_time(perform: Perform) -> None:
    async def body(lab: Any) -> None:
        check("fine", 1, equals=1)
        while True:
            await lab.clock.sleep(60)

    result = perform(body, limit_s=3600)
    assert (result.verdict, result.reason) == (
        Verdict.INCONCLUSIVE,
        "given up after 3600 s of virtual time",
    )
    assert result.finished == "2030-01-15T10:00:00.000000Z"


def test_a_case_that_goes_round_in_circles_is_given_up(perform: Perform) -> None:
    async def body(lab: Any) -> None:
        check("fine", 1, equals=1)
        while True:
            await lab.clock.sleep(0)

    result = perform(body, event_limit=5_000)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "5000 loop events" in result.reason


def test_a_wait_that_can_never_end_is_an_error(perform: Perform, toy: ModuleType) -> None:
    @asynccontextmanager
    async def idle(seed: RootSeed) -> AsyncIterator[Any]:
        yield toy.ToyBench(seed, "")

    async def body(_lab: Any) -> None:
        await asyncio.get_running_loop().create_future()

    # The limit's own timer is the last thing to wait for, so the case ends there and not in a deadlock.
    assert perform(body, setup=BenchSetup(bench=idle), limit_s=10).verdict is Verdict.INCONCLUSIVE


def test_a_bench_that_does_not_come_up_is_an_error_without_a_time(perform: Perform) -> None:
    @asynccontextmanager
    async def broken(_seed: RootSeed) -> AsyncIterator[Any]:
        raise LocalProtocolError("no key for the device")
        yield

    async def body(_lab: Any) -> None:
        check("fine", 1, equals=1)

    result = perform(body, setup=BenchSetup(bench=broken))
    assert (result.verdict, result.started, result.finished) == (Verdict.ERROR, None, None)
    assert result.reason == "LocalProtocolError: no key for the device"


def test_a_task_of_the_bench_that_dies_ends_the_case_as_error(perform: Perform) -> None:
    async def body(lab: Any) -> None:
        check("fine", 1, equals=1)
        await lab.read()

    result = perform(body, defect="crash")
    assert (result.verdict, result.reason) == (
        Verdict.ERROR,
        "ZeroDivisionError: the toy device fell over",
    )


def test_a_bench_that_leaves_a_task_behind_is_an_error(perform: Perform, toy: ModuleType) -> None:
    @asynccontextmanager
    async def careless(seed: RootSeed) -> AsyncIterator[Any]:
        toy_bench = toy.ToyBench(seed, "")
        toy_bench.left = asyncio.create_task(toy_bench.run_device(), name="forgotten device")
        yield toy_bench

    async def body(_lab: Any) -> None:
        check("fine", 1, equals=1)

    result = perform(body, setup=BenchSetup(bench=careless))
    assert (result.verdict, result.reason) == (
        Verdict.ERROR,
        "the bench left 1 tasks running: forgotten device",
    )


def test_an_exception_that_asyncio_would_only_log_is_an_error(perform: Perform) -> None:
    async def body(lab: Any) -> None:
        check("fine", 1, equals=1)

        def late() -> None:
            raise OverflowError("in a timer")

        lab.clock.call_at(1.0, late)
        await lab.clock.sleep(100)

    result = perform(body)
    assert result.verdict is Verdict.ERROR
    assert result.reason.startswith("OverflowError: in a timer")
    assert result.finished == "2030-01-15T09:00:01.000000Z"


def test_misuse_of_the_words_is_an_error_of_the_case(perform: Perform) -> None:
    async def nothing_compared(_lab: Any) -> None:
        check("one", 1)

    async def two_comparisons(_lab: Any) -> None:
        check("one", 1, equals=1, at_most=2)

    async def nested(_lab: Any) -> None:
        with step("outer"), step("inner"):
            pass

    async def unwritable(_lab: Any) -> None:
        check("one", object(), equals=1)

    for body, said in (
        (nothing_compared, "exactly one comparison"),
        (two_comparisons, "exactly one comparison"),
        (nested, "inside another step"),
        (unwritable, "no plain form"),
    ):
        result = perform(body)
        assert result.verdict is Verdict.ERROR
        assert said in result.reason


def test_undecodable_bytes_are_recorded_as_such_and_a_broken_decoder_is_an_error(
    perform: Perform, toy: ModuleType
) -> None:
    async def body(lab: Any) -> None:
        lab.send(extra=b"\xff")
        check("fine", 1, equals=1)

    result = perform(body, decoders=toy.DECODERS)
    assert result.verdict is Verdict.PASS
    assert result.observations[2].meaning == (
        "not decodable: toy message: wrong length at byte 0, expected 5, found 6"
    )

    def broken(_data: bytes) -> Field:
        raise IndexError("out of range")

    result = perform(body, decoders=Decoders({"gbcs": broken}))
    assert result.verdict is Verdict.ERROR
    assert "IndexError: out of range (while decoding an observation)" in result.reason


def test_frames_are_described_with_their_details_and_messages_once() -> None:
    calls: list[bytes] = []

    def message(data: bytes) -> Field:
        calls.append(data)
        error = CodecError("cut short") if len(data) < 2 else None
        return Field(name="message", offset=0, raw=data, text="", error=error)

    def frame(data: bytes, detail: Any) -> Field | None:
        if "cluster" not in detail:
            return None
        return Field(name="frame", offset=0, raw=data, text=f"of cluster {detail['cluster']}")

    decoders = Decoders({"gbcs": message, "wan": message}, {"han": frame})
    assert [decoders.meaning(layer, b"\x01\x02", {}) for layer in ("gbcs", "wan", "duis")] == [
        "message",
        "message",
        None,
    ]
    assert calls == [b"\x01\x02"]
    assert decoders.meaning("wan", b"\x01", {}) == "message; cut short"
    assert decoders.meaning("han", b"\x01", {"cluster": 4}) == "frame: of cluster 4"
    assert decoders.meaning("han", b"\x01", {}) is None
    assert decoders.meaning("gbcs", b"", {}) is None


def test_the_bench_gets_the_seed_of_the_case_and_the_records_name_it(toy: ModuleType) -> None:
    result = run_suite(toy.suite("TOY-READ"), toy.setup(), 7).result("TOY-READ")
    own = RootSeed(7).child("case.TOY-READ")
    assert result.start.seed == own.value
    reading = own.stream("device.reading").randrange(100, 60_000)
    assert result.checks[1].actual == f"{reading:04X}"
    assert isinstance(result.records[0], CaseStarted)
    ready = next(record for record in result.records if isinstance(record, BenchReady))
    assert [party.label for party in ready.parties] == ["Service user", "Gateway", "Device"]
    assert all(isinstance(record, (Checked, StepStarted, Observed)) for record in result.records[3:-1])
