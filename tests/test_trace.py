"""The trace: order, subscribers, waiting, and the published form of an observation."""

from __future__ import annotations

import asyncio
import io
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.clock import DEFAULT_EPOCH, LoopClock, run_virtual
from smetslab.errors import CodecError, LocalProtocolError
from smetslab.trace import LAYERS, OBSERVATION_SCHEMA, JsonLinesWriter, Observation, Trace, where

EXAMPLE = {
    "schema_version": 1,
    "sequence": 7,
    "time": "2026-01-01T00:00:02.500000Z",
    "layer": "han",
    "event": "FrameSent",
    "source": "00DB1234567890A2",
    "target": "00DB1234567890A0",
    "data": "11020200DF",
    "detail": {"cluster": 1796, "secured": False, "reason": None, "word": "é"},
}


def test_an_observation_has_the_published_form() -> None:
    async def main(clock: LoopClock) -> Observation:
        trace = Trace(clock)
        for _ in range(7):
            trace.record("device", "Waited")
        await clock.sleep(2.5)
        return trace.record(
            "han",
            "FrameSent",
            source="00DB1234567890A2",
            target="00DB1234567890A0",
            data=bytes.fromhex("11020200DF"),
            cluster=1796,
            secured=False,
            reason=None,
            word="é",
        )

    seen = run_virtual(main)
    assert seen.to_json() == EXAMPLE
    assert json.loads(seen.to_json_line()) == EXAMPLE
    assert Observation.from_json(EXAMPLE) == seen


def test_the_schema_describes_the_example() -> None:
    properties = OBSERVATION_SCHEMA["properties"]
    assert isinstance(properties, dict)
    assert OBSERVATION_SCHEMA["required"] == list(EXAMPLE)
    assert list(properties) == list(EXAMPLE)
    for name in ("time", "event", "data"):
        assert re.search(properties[name]["pattern"], str(EXAMPLE[name]))
    assert EXAMPLE["layer"] in properties["layer"]["enum"]


START = datetime(2000, 1, 1, tzinfo=UTC)

observations = st.builds(
    Observation,
    sequence=st.integers(0, 2**40),
    time=st.integers(0, 100 * 365 * 86400 * 10**6).map(lambda count: START + timedelta(microseconds=count)),
    layer=st.sampled_from(LAYERS),
    event=st.from_regex(r"\A[A-Z][A-Za-z0-9]{0,20}\Z"),
    source=st.text(max_size=20),
    target=st.text(max_size=20),
    data=st.binary(max_size=40),
    detail=st.dictionaries(
        st.text(max_size=8), st.none() | st.booleans() | st.integers() | st.text(max_size=8)
    ),
)


@given(observations)
def test_every_observation_survives_its_json_line(seen: Observation) -> None:
    line = seen.to_json_line()
    assert "\n" not in line
    assert Observation.from_json(json.loads(line)) == seen


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("schema_version", 2),
        ("sequence", -1),
        ("sequence", True),
        ("time", "2026-01-01T00:00:00Z"),
        ("time", "2026-02-30T00:00:00.000000Z"),
        ("time", 5),
        ("layer", "ether"),
        ("event", "sent"),
        ("event", ""),
        ("source", None),
        ("data", "0"),
        ("data", "ab"),
        ("detail", [1]),
        ("detail", {"a": 1.5}),
        ("detail", {"a": {"b": 1}}),
    ],
)
def test_a_record_that_breaks_the_schema_is_refused_by_name(member: str, value: object) -> None:
    with pytest.raises(CodecError) as caught:
        Observation.from_json({**EXAMPLE, member: value})
    assert caught.value.path.startswith(member)


def test_missing_and_unknown_members_are_refused() -> None:
    with pytest.raises(CodecError, match="target: missing member"):
        Observation.from_json({name: value for name, value in EXAMPLE.items() if name != "target"})
    with pytest.raises(CodecError, match="colour: unknown member"):
        Observation.from_json({**EXAMPLE, "colour": "red"})
    with pytest.raises(CodecError, match="not an observation"):
        Observation.from_json([])


def test_subscribers_are_called_in_order_and_can_leave() -> None:
    async def main(clock: LoopClock) -> list[str]:
        trace = Trace(clock)
        calls: list[str] = []
        leave = trace.subscribe(lambda seen: calls.append(f"a{seen.sequence}"))
        trace.subscribe(lambda seen: calls.append(f"b{seen.sequence}"))
        trace.record("device", "Woke")
        leave()
        leave()
        trace.record("device", "Woke")
        return calls

    assert run_virtual(main) == ["a0", "b0", "b1"]


@pytest.mark.parametrize("keep", [None, 3])
def test_a_note_is_the_observation_that_a_record_would_be(keep: int | None) -> None:
    async def main(clock: LoopClock) -> tuple[list[Observation], list[Observation]]:
        noted, recorded = Trace(clock, keep), Trace(clock, keep)
        for number in range(5):
            await clock.sleep(0.25)
            data = bytes((number,))
            noted.note("air", "FrameOnAir", source="A", target="B", data=data, detail={"lqi": number})
            recorded.record("air", "FrameOnAir", source="A", target="B", data=data, lqi=number)
            if number == 2:
                assert [seen.sequence for seen in noted.observations] == [0, 1, 2]
                for trace in (noted, recorded):
                    trace.record("device", "Woke")
        return list(noted.observations), list(recorded.observations)

    noted, recorded = run_virtual(main)
    assert noted == recorded
    assert len(noted) == (keep or 6)


def test_who_watches_a_layer_is_told_of_that_layer_at_once() -> None:
    async def main(clock: LoopClock) -> list[int]:
        trace = Trace(clock)
        calls: list[int] = []
        leave = trace.subscribe(lambda seen: calls.append(seen.sequence), layers=("air",))
        for layer in ("air", "han", "air"):
            trace.note(layer, "FrameSent", source="", target="", data=b"", detail={})
        trace.record("device", "Woke")
        leave()
        trace.note("air", "FrameSent", source="", target="", data=b"", detail={})
        assert [seen.sequence for seen in trace.observations] == [0, 1, 2, 3, 4]
        return calls

    assert run_virtual(main) == [0, 2]


def test_what_a_subscriber_records_reaches_everybody_in_sequence() -> None:
    async def main(clock: LoopClock) -> list[tuple[str, int]]:
        trace = Trace(clock)
        calls: list[tuple[str, int]] = []

        def comment(seen: Observation) -> None:
            calls.append(("comment", seen.sequence))
            if seen.event == "Woke":
                trace.record("harness", "Noticed")

        trace.subscribe(comment)
        trace.subscribe(lambda seen: calls.append(("late", seen.sequence)))
        trace.record("device", "Woke")
        return calls

    assert run_virtual(main) == [("comment", 0), ("late", 0), ("comment", 1), ("late", 1)]


def test_an_exception_in_a_subscriber_reaches_the_recorder() -> None:
    def break_down(_seen: Observation) -> None:
        raise ZeroDivisionError

    async def main(clock: LoopClock) -> int:
        trace = Trace(clock)
        leave = trace.subscribe(break_down)
        with pytest.raises(ZeroDivisionError):
            trace.record("device", "Woke")
        leave()
        calls: list[int] = []
        trace.subscribe(lambda seen: calls.append(seen.sequence))
        trace.record("device", "Woke")
        assert calls == [1]
        return len(trace.observations)

    assert run_virtual(main) == 2


def test_an_unknown_layer_or_a_badly_named_event_is_refused() -> None:
    async def main(clock: LoopClock) -> None:
        trace = Trace(clock)
        unknown: Any = "ether"
        for layer, event in ((unknown, "Sent"), ("han", "sent"), ("han", "Frame sent"), ("han", "")):
            with pytest.raises(LocalProtocolError):
                trace.record(layer, event)
        assert not trace.observations

    run_virtual(main)


def test_keep_bounds_memory_and_find_still_counts_from_the_mark() -> None:
    async def main(clock: LoopClock) -> list[list[int]]:
        trace = Trace(clock, keep=3)
        for _ in range(5):
            trace.record("device", "Woke")
        return [
            [seen.sequence for seen in trace.observations],
            [seen.sequence for seen in trace.find(event="Woke")],
            [seen.sequence for seen in trace.find(event="Woke", since=4)],
        ]

    assert run_virtual(main) == [[2, 3, 4], [2, 3, 4], [4]]


def test_find_matches_every_named_thing() -> None:
    async def main(clock: LoopClock) -> list[list[int]]:
        trace = Trace(clock)
        trace.record("han", "FrameSent", source="a", target="b", cluster=1)
        trace.record("han", "FrameSent", source="a", target="c", cluster=None)
        trace.record("wan", "FrameSent", source="a", target="b")
        found = [
            trace.find(layer="han"),
            trace.find(source="a", target="b"),
            trace.find(cluster=None),
            trace.find(event="FrameLost"),
        ]
        return [[seen.sequence for seen in group] for group in found]

    assert run_virtual(main) == [[0, 1], [0, 2], [1], []]


def test_waiting_sees_only_what_comes_unless_a_mark_is_given() -> None:
    async def main(clock: LoopClock) -> tuple[int, int]:
        trace = Trace(clock)
        mark = trace.next_sequence
        trace.record("device", "Woke")
        early = await trace.wait_for(where(event="Woke"), 10, since=mark)
        clock.call_at(7.0, lambda: trace.record("device", "Woke"))
        late = await trace.wait_for(where(event="Woke"), 10)
        assert clock.now() == late.time
        return early.sequence, late.sequence

    assert run_virtual(main) == (0, 1)


def test_waiting_in_vain_ends_with_a_timeout_and_leaves_nothing_behind() -> None:
    async def main(clock: LoopClock) -> float:
        trace = Trace(clock)
        with pytest.raises(TimeoutError, match="within 600 s"):
            await trace.wait_for(where(event="Woke"), 600)
        waiting = asyncio.create_task(trace.wait_for(where(event="Woke"), 600))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        ended = clock.time()
        trace.record("device", "Woke")
        await asyncio.get_running_loop().create_future()
        return ended

    with pytest.raises(LocalProtocolError, match="nothing left"):
        run_virtual(main)


def test_the_line_writer_writes_each_observation_once(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    stream = io.StringIO()

    async def main(clock: LoopClock) -> list[Observation]:
        trace = Trace(clock)
        trace.record("device", "Woke")
        with JsonLinesWriter(trace, path), JsonLinesWriter(trace, stream):
            trace.record("device", "Slept", data=b"\n")
            trace.record("device", "Woke")
        trace.record("device", "Slept")
        return list(trace.observations[1:3])

    kept = run_virtual(main)
    lines = path.read_bytes().decode().splitlines()
    assert [Observation.from_json(json.loads(line)) for line in lines] == kept
    assert stream.getvalue().splitlines() == lines
    assert kept[0].time == DEFAULT_EPOCH
