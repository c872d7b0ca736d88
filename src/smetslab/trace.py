"""The one trace: every frame, message, document, decision and state change is one `Observation`.

Evidence, logs, captures and waiting tests only subscribe. An observation keeps bytes and a few named facts;
what the bytes mean is decoded by whoever asks, never stored. This module knows no protocol.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from os import PathLike
from types import MappingProxyType, TracebackType
from typing import Literal, TextIO, TypeAlias, cast, get_args

from smetslab.clock import Clock
from smetslab.errors import CodecError, LocalProtocolError
from smetslab.value_class import value_class

Layer: TypeAlias = Literal["duis", "gbcs", "wan", "han", "air", "device", "dcc", "harness"]
Detail: TypeAlias = str | int | bool | None
LAYERS: tuple[Layer, ...] = get_args(Layer)
OBSERVATION_SCHEMA_VERSION = 1
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"

_MEMBERS = ("schema_version", "sequence", "time", "layer", "event", "source", "target", "data", "detail")

OBSERVATION_SCHEMA: dict[str, object] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "smetslab observation",
    "type": "object",
    "additionalProperties": False,
    "required": list(_MEMBERS),
    "properties": {
        "schema_version": {"const": OBSERVATION_SCHEMA_VERSION},
        "sequence": {"type": "integer", "minimum": 0},
        "time": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"},
        "layer": {"enum": list(LAYERS)},
        "event": {"type": "string", "pattern": "^[A-Z][A-Za-z0-9]*$"},
        "source": {"type": "string"},
        "target": {"type": "string"},
        "data": {"type": "string", "pattern": "^([0-9A-F]{2})*$"},
        "detail": {
            "type": "object",
            "additionalProperties": {"type": ["string", "integer", "boolean", "null"]},
        },
    },
}
"""The published shape of an observation; times are UTC to the microsecond, octets upper-case hex."""


@value_class(frozen=True, slots=True)
class Observation:
    """One thing that happened: when, in which layer, between whom, with which bytes."""

    sequence: int
    time: datetime
    layer: Layer
    event: str
    source: str
    target: str
    data: bytes
    detail: Mapping[str, Detail]

    def to_json(self) -> dict[str, object]:
        """The published mapping, `OBSERVATION_SCHEMA`. Equal observations give equal mappings."""
        return {
            "schema_version": OBSERVATION_SCHEMA_VERSION,
            "sequence": self.sequence,
            "time": self.time.strftime(_TIME_FORMAT),
            "layer": self.layer,
            "event": self.event,
            "source": self.source,
            "target": self.target,
            "data": self.data.hex().upper(),
            "detail": dict(self.detail),
        }

    def to_json_line(self) -> str:
        """The mapping as one line with sorted keys, the form evidence hashes."""
        return json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, mapping: object) -> Observation:
        """Read the published mapping back; CodecError names the first member that is not as the schema
        says.
        """
        if not isinstance(mapping, Mapping):
            raise CodecError("not an observation", expected="an object", found=type(mapping).__name__)
        for name in _MEMBERS:
            if name not in mapping:
                raise CodecError("missing member", path=name)
        for name in mapping:
            if name not in _MEMBERS:
                raise CodecError("unknown member", path=str(name))
        if mapping["schema_version"] != OBSERVATION_SCHEMA_VERSION:
            raise CodecError(
                "unknown schema version",
                path="schema_version",
                expected=str(OBSERVATION_SCHEMA_VERSION),
                found=repr(mapping["schema_version"]),
            )
        sequence = mapping["sequence"]
        if not isinstance(sequence, int) or isinstance(sequence, bool) or sequence < 0:
            raise CodecError("not a sequence number", path="sequence", found=repr(sequence))
        return cls(
            sequence=sequence,
            time=_read_time(mapping["time"]),
            layer=_read_layer(mapping["layer"]),
            event=_read_event(mapping["event"]),
            source=_read_text(mapping["source"], "source"),
            target=_read_text(mapping["target"], "target"),
            data=_read_octets(mapping["data"]),
            detail=_read_detail(mapping["detail"]),
        )


def _read_text(value: object, path: str) -> str:
    if not isinstance(value, str):
        raise CodecError("not a string", path=path, found=repr(value))
    return value


def _read_time(value: object) -> datetime:
    text = _read_text(value, "time")
    try:
        moment = datetime.strptime(text, _TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        moment = None
    if moment is None or moment.strftime(_TIME_FORMAT) != text:
        raise CodecError("not a time", path="time", expected="2026-01-01T00:00:00.000000Z", found=repr(text))
    return moment


def _read_layer(value: object) -> Layer:
    for layer in LAYERS:
        if layer == value:
            return layer
    raise CodecError("unknown layer", path="layer", expected=" | ".join(LAYERS), found=repr(value))


def _read_event(value: object) -> str:
    text = _read_text(value, "event")
    if not _is_event(text):
        raise CodecError(
            "not an event name", path="event", expected="a name like MessageSent", found=repr(text)
        )
    return text


def _read_octets(value: object) -> bytes:
    text = _read_text(value, "data")
    try:
        octets = bytes.fromhex(text)
    except ValueError:
        octets = b""
    if octets.hex().upper() != text:
        raise CodecError("not octets", path="data", expected="pairs of upper-case hex digits")
    return octets


def _read_detail(value: object) -> Mapping[str, Detail]:
    if not isinstance(value, Mapping):
        raise CodecError("not an object", path="detail", found=type(value).__name__)
    for name, member in value.items():
        if not isinstance(name, str) or not (member is None or isinstance(member, (str, int))):
            raise CodecError(
                "not a plain value", path=f"detail.{name}", expected="string, integer, boolean or null"
            )
    return MappingProxyType(dict(value))


def _is_event(text: str) -> bool:
    return text.isascii() and text.isalnum() and text[0].isupper()


def where(
    *,
    layer: Layer | None = None,
    event: str | None = None,
    source: str | None = None,
    target: str | None = None,
    **detail: Detail,
) -> Callable[[Observation], bool]:
    """A predicate for `Trace.wait_for`: true when everything named is equal; detail members must be
    present.
    """

    def matches(seen: Observation) -> bool:
        return (
            (event is None or seen.event == event)
            and (layer is None or seen.layer == layer)
            and (source is None or seen.source == source)
            and (target is None or seen.target == target)
            and all(name in seen.detail and seen.detail[name] == value for name, value in detail.items())
        )

    return matches


_Note: TypeAlias = tuple[int, float, Layer, str, str, str, bytes, dict[str, Detail]]
"""What an observation is made of; its time in seconds."""
_Kept: TypeAlias = Observation | _Note


class Trace:
    """Everything that happened in one run, in order. `keep` bounds how many observations stay in memory.

    Subscribers are called synchronously, in the order of their subscription, and see every observation
    exactly once in order of sequence, also when a subscriber itself records. An exception in a subscriber
    is a bug and reaches whoever recorded.
    """

    def __init__(self, clock: Clock, keep: int | None = None) -> None:
        self._clock = clock
        self._kept: list[_Kept] | deque[_Kept] = [] if keep is None else deque(maxlen=keep)
        self._noted = 0
        """How many of them, the last ones, may be notes still."""
        self._subscribers: dict[int, tuple[Callable[[Observation], object], tuple[Layer, ...]]] = {}
        self._next_subscriber = 0
        self._watched: frozenset[Layer] = frozenset()
        """The layers of which somebody is told at once."""
        self._waiting: list[_Waiter] = []
        self._undelivered: deque[Observation] = deque()
        self._delivering = False
        # Names that were found sound; they come from code, so there are not many.
        self._names: set[tuple[str, str]] = set()
        self.next_sequence = 0

    @property
    def observations(self) -> Sequence[Observation]:
        """What is kept, oldest first."""
        if self._noted:
            self._observe_notes()
        return cast("Sequence[Observation]", self._kept)

    def _observe_notes(self) -> None:
        """Make observations of what has been noted."""
        noted, self._noted = min(self._noted, len(self._kept)), 0
        if isinstance(self._kept, list):
            self._kept[-noted:] = [self._observed(one) for one in self._kept[-noted:]]
        else:
            late = [self._kept.pop() for _ in range(noted)]
            self._kept.extend(self._observed(one) for one in reversed(late))

    def _observed(self, kept: _Kept) -> Observation:
        if isinstance(kept, Observation):
            return kept
        sequence, time_s, layer, event, source, target, data, detail = kept
        moment = self._clock.moment_at(time_s)
        return Observation(sequence, moment, layer, event, source, target, data, MappingProxyType(detail))

    def note(
        self,
        layer: Layer,
        event: str,
        *,
        source: str,
        target: str,
        data: bytes,
        detail: dict[str, Detail],
    ) -> int:
        """`record` for what happens by the hundred thousand: its sequence number. The observation is made
        when somebody asks for it.
        """
        if layer in self._watched or self._waiting or self._undelivered:
            return self.record(layer, event, source=source, target=target, data=data, **detail).sequence
        if (layer, event) not in self._names:
            self._check(layer, event)
        sequence = self.next_sequence
        self.next_sequence = sequence + 1
        self._kept.append((sequence, self._clock.time(), layer, event, source, target, data, detail))
        self._noted += 1
        return sequence

    def _check(self, layer: Layer, event: str) -> None:
        if layer not in LAYERS or not _is_event(event):
            raise LocalProtocolError(f"not an observation: layer {layer!r}, event {event!r}")
        self._names.add((layer, event))

    def record(
        self,
        layer: Layer,
        event: str,
        *,
        source: str = "",
        target: str = "",
        data: bytes = b"",
        **detail: Detail,
    ) -> Observation:
        """Note that something happened now, and tell the subscribers."""
        if (layer, event) not in self._names:
            self._check(layer, event)
        if self._noted:
            self._noted += 1
        seen = Observation(
            self.next_sequence,
            self._clock.now(),
            layer,
            event,
            source,
            target,
            bytes(data),
            MappingProxyType(detail),
        )
        self.next_sequence += 1
        self._kept.append(seen)
        if layer in self._watched or self._waiting or self._undelivered:
            self._undelivered.append(seen)
            if not self._delivering:
                self._deliver()
        return seen

    def _deliver(self) -> None:
        self._delivering = True
        try:
            while self._undelivered:
                seen = self._undelivered.popleft()
                for number in tuple(self._subscribers):
                    callback, layers = self._subscribers.get(number, (None, ()))
                    if callback is not None and seen.layer in layers:
                        callback(seen)
                if self._waiting:
                    self._waiting = [waiter for waiter in self._waiting if not waiter.offer(seen)]
        finally:
            self._delivering = False

    def subscribe(
        self, callback: Callable[[Observation], object], *, layers: Sequence[Layer] = LAYERS
    ) -> Callable[[], None]:
        """Have `callback` called for every observation of these layers from now on; the result ends it."""
        number = self._next_subscriber
        self._next_subscriber += 1
        self._subscribers[number] = (callback, tuple(layers))
        self._watch()

        def unsubscribe() -> None:
            self._subscribers.pop(number, None)
            self._watch()

        return unsubscribe

    def _watch(self) -> None:
        self._watched = frozenset(layer for _, layers in self._subscribers.values() for layer in layers)

    def find(
        self,
        *,
        layer: Layer | None = None,
        event: str | None = None,
        source: str | None = None,
        target: str | None = None,
        since: int = 0,
        **detail: Detail,
    ) -> list[Observation]:
        """What is kept from sequence `since` on and matches like `where`."""
        matches = where(layer=layer, event=event, source=source, target=target, **detail)
        return [seen for seen in self._since(since) if matches(seen)]

    def _since(self, sequence: int) -> Sequence[Observation]:
        """What is kept from `sequence` on; sequence numbers have no gaps, so the place is known."""
        kept = self.observations
        if not kept:
            return ()
        start = max(0, sequence - kept[0].sequence)
        return kept[start:] if isinstance(kept, list) else list(kept)[start:]

    async def wait_for(
        self, predicate: Callable[[Observation], bool], timeout_s: float, *, since: int | None = None
    ) -> Observation:
        """The next observation that satisfies `predicate`, within `timeout_s` laboratory seconds.

        With `since`, a value of `next_sequence` taken earlier, what was recorded from there on counts as
        well: take the mark, act, wait. Raises TimeoutError.
        """
        if since is not None:
            for seen in self._since(since):
                if predicate(seen):
                    return seen
        waiter = _Waiter(predicate)
        timer = self._clock.call_at(self._clock.time() + timeout_s, waiter.expire, timeout_s)
        self._waiting.append(waiter)
        try:
            return await waiter.found
        finally:
            timer.cancel()
            if waiter in self._waiting:
                self._waiting.remove(waiter)


class _Waiter:
    """One task in `Trace.wait_for`."""

    __slots__ = ("_predicate", "found")

    def __init__(self, predicate: Callable[[Observation], bool]) -> None:
        self._predicate = predicate
        self.found: asyncio.Future[Observation] = asyncio.get_running_loop().create_future()

    def offer(self, seen: Observation) -> bool:
        """True when this waiter is done with."""
        if self.found.done():
            return True
        if not self._predicate(seen):
            return False
        self.found.set_result(seen)
        return True

    def expire(self, timeout_s: float) -> None:
        if not self.found.done():
            self.found.set_exception(
                TimeoutError(f"nothing that was waited for happened within {timeout_s:g} s")
            )


class JsonLinesWriter(AbstractContextManager["JsonLinesWriter"]):
    """Writes every observation as one JSON line while its block is open; a path is opened and closed."""

    def __init__(self, trace: Trace, destination: str | PathLike[str] | TextIO) -> None:
        self._trace = trace
        self._destination = destination
        self._leave: list[Callable[[], object]] = []

    def __enter__(self) -> JsonLinesWriter:
        stream: TextIO
        if isinstance(self._destination, (str, PathLike)):
            stream = open(self._destination, "w", encoding="utf-8", newline="\n")
            self._leave.append(stream.close)
        else:
            stream = self._destination
            self._leave.append(stream.flush)
        self._leave.append(self._trace.subscribe(lambda seen: stream.write(seen.to_json_line() + "\n")))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        while self._leave:
            self._leave.pop()()
