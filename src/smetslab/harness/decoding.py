"""Bytes of an observation as people read them: a tree of named fields, and one line of it.

Which decoder fits a layer is injected, so that runner, report and verification use the same one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, TypeAlias

from smetslab.errors import CodecError

_KEPT = 4096


class Node(Protocol):
    """One decoded field: its octets, where they stand, and what they say.

    `offset` counts from the start of the message. The octets of a `derived` node are not in the message: they
    were made from its parent's, by decryption for instance. `error`: why they are not what they should be.
    """

    @property
    def name(self) -> str: ...

    @property
    def offset(self) -> int: ...

    @property
    def raw(self) -> bytes: ...

    @property
    def text(self) -> str: ...

    @property
    def children(self) -> Sequence[Node]: ...

    @property
    def derived(self) -> bool: ...

    @property
    def error(self) -> CodecError | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A `Node` for descriptions made in the harness."""

    name: str
    offset: int
    raw: bytes
    text: str
    children: Sequence[Node] = ()
    derived: bool = False
    error: CodecError | None = None


Details: TypeAlias = "Mapping[str, str | int | bool | None]"
Describe = Callable[[bytes], Node]
DescribeWithDetails = Callable[[bytes, Details], "Node | None"]


class Decoders:
    """What describes the bytes of each layer.

    `messages` need the bytes alone; each distinct message is decoded once, because it is observed on several
    layers. `frames` need the details of the observation too, and may decline with None.
    """

    def __init__(
        self, messages: Mapping[str, Describe], frames: Mapping[str, DescribeWithDetails] | None = None
    ) -> None:
        cached: dict[Describe, Callable[[bytes], Node | CodecError]] = {}
        for describe in messages.values():
            cached.setdefault(describe, lru_cache(maxsize=_KEPT)(_guarded(describe)))
        self._messages = {layer: cached[describe] for layer, describe in messages.items()}
        kinds = list(cached)
        self._kinds = {layer: f"message {kinds.index(describe)}" for layer, describe in messages.items()}
        self._frames = dict(frames or {})

    def decode(self, layer: str, data: bytes, detail: Details) -> Node | CodecError | None:
        """The tree; the CodecError of bytes that are no such message; None where nothing decodes them."""
        if not data:
            return None
        message = self._messages.get(layer)
        if message is not None:
            return message(data)
        frame = self._frames.get(layer)
        if frame is None:
            return None
        try:
            return frame(data, detail)
        except CodecError as error:
            return error

    def kind(self, layer: str) -> str:
        """Layers of the same kind describe equal bytes equally."""
        return self._kinds.get(layer, layer)

    def meaning(self, layer: str, data: bytes, detail: Details) -> str | None:
        """The message in one line, for evidence; deterministic."""
        match self.decode(layer, data, detail):
            case None:
                return None
            case CodecError() as error:
                return f"not decodable: {error}"
            case node:
                text = f"{node.name}: {node.text}" if node.text else node.name
                return text if node.error is None or str(node.error) in text else f"{text}; {node.error}"


def _guarded(describe: Describe) -> Callable[[bytes], Node | CodecError]:
    def decode(data: bytes) -> Node | CodecError:
        try:
            return describe(data)
        except CodecError as error:
            return error

    return decode
