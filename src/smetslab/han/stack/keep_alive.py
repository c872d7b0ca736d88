"""Keep-Alive: a device asks its hub now and then, and looks for its network when the hub does not answer.

Sleepers do not ask: their polls tell them as much.

Spec: ZSE 1.4 annex A (Keep-Alive cluster); GBCS 10
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from smetslab.han.air.medium import Cancellable, Scheduler
from smetslab.han.limits import SMART_ENERGY_PROFILE
from smetslab.han.stack.aps_entity import ApsData
from smetslab.han.stack.network import COORDINATOR_ADDRESS
from smetslab.han.stack.rules import UpkeepRules
from smetslab.zigbee.zcl import CLIENT_TO_SERVER, decode_frame
from smetslab.zigbee.zcl.clusters.keep_alive import KeepAlive
from smetslab.zigbee.zcl.foundation import (
    ReadAttributes,
    ReadAttributesResponse,
    Status,
    decode_general,
    general_frame,
    read_answer,
)

if TYPE_CHECKING:
    from smetslab.han.stack.node import RadioNode

KEEP_ALIVE_ENDPOINT: Final = 1
"""Where a node has Keep-Alive; its peers ask for it by its cluster."""

_BASE, _JITTER = KeepAlive.tc_keep_alive_base, KeepAlive.tc_keep_alive_jitter


class KeepAliveClient:
    """What a device does that is awake."""

    def __init__(self, node: RadioNode, scheduler: Scheduler, rng: random.Random, rules: UpkeepRules) -> None:
        self.misses = 0
        self._node = node
        self._scheduler = scheduler
        self._rng = rng
        self._rules = rules
        self._base_s = rules.keep_alive_base_minutes * 60.0
        self._jitter_s = float(rules.keep_alive_jitter_s)
        self._endpoint: int | None = None
        self._sequence: int | None = None
        """Of the question that has no answer yet."""
        self._urgent = False
        self._timer: Cancellable | None = None

    def start(self, *, urgent: bool) -> None:
        """The device is a member from now on; `urgent`: its power was away, it asks soon."""
        self.stop()
        self._urgent = urgent
        self._plan()

    def stop(self) -> None:
        """The power goes, or the device leaves."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._sequence = None
        self.misses = 0

    def _plan(self) -> None:
        if self._urgent:
            wait = self._rng.uniform(1.0, self._rules.after_power_s)
        else:
            wait = self._base_s + self._rng.uniform(0, self._jitter_s)
        self._set(wait, self._ask)

    def _set(self, seconds: float, then: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._scheduler.call_at(self._scheduler.time() + seconds, then)

    def _ask(self) -> None:
        self._sequence = self._node.next_sequence()
        self._set(self._rules.keep_alive_answer_s, self._missed)
        if self._endpoint is None:
            self._node.profile.find_server(KeepAlive.id, self._found)
        else:
            self._read()

    def _found(self, endpoints: list[int] | None) -> None:
        if self._sequence is None:
            return
        if endpoints:
            self._endpoint = endpoints[0]
            self._read()
        elif endpoints is not None:
            self._alive()  # the hub is there, and has no Keep-Alive

    def _read(self) -> None:
        if self._endpoint is None or self._sequence is None:
            return
        frame = general_frame(
            ReadAttributes((_BASE.id, _JITTER.id)), direction=CLIENT_TO_SERVER, sequence=self._sequence
        )
        self._node.aps.send(
            ApsData(
                peer=COORDINATOR_ADDRESS,
                cluster=KeepAlive.id,
                profile=SMART_ENERGY_PROFILE,
                source_endpoint=KEEP_ALIVE_ENDPOINT,
                destination_endpoint=self._endpoint,
                payload=frame.encode(),
            )
        )

    def answered(self, data: ApsData) -> None:
        """The hub's attributes have come. Raises ZclDecodeError for what is no answer."""
        frame = decode_frame(data.payload)
        command = decode_general(frame)
        if (
            frame.sequence != self._sequence
            or data.peer != COORDINATOR_ADDRESS
            or not isinstance(command, ReadAttributesResponse)
        ):
            return
        values = {one.attribute: one.value for one in command.results if one.status == Status.SUCCESS}
        base, jitter = values.get(_BASE.id), values.get(_JITTER.id)
        if isinstance(base, int) and base:
            self._base_s = base * 60.0
        if isinstance(jitter, int):
            self._jitter_s = float(jitter)
        self._alive()

    def _alive(self) -> None:
        self._sequence = None
        self.misses = 0
        self._urgent = False
        self._node.rejoiner.heard_hub()
        self._plan()

    def _missed(self) -> None:
        self._sequence = self._endpoint = None
        self.misses += 1
        if self.misses >= self._rules.keep_alive_misses:
            self.misses = 0
            self._urgent = False
            self._node.rejoiner.lost("the hub does not answer Keep-Alive")
        self._plan()


def answer_keep_alive(node: RadioNode, data: ApsData, rules: UpkeepRules) -> None:
    """Answer as the hub does. Raises ZclDecodeError for what cannot be read."""
    frame = decode_frame(data.payload)
    command = decode_general(frame)
    if frame.server_to_client or not isinstance(command, ReadAttributes):
        return
    values = {_BASE: rules.keep_alive_base_minutes, _JITTER: rules.keep_alive_jitter_s}
    answer = read_answer(frame, command.attributes, values)
    node.aps.send(
        ApsData(
            peer=data.peer,
            cluster=data.cluster,
            profile=data.profile,
            source_endpoint=data.destination_endpoint,
            destination_endpoint=data.source_endpoint,
            payload=answer.encode(),
        )
    )
