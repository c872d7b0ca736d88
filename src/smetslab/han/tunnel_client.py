"""The client end of a tunnel, sans-I/O: one `ClientEngine` keeps a tunnel with one peer.

`TRANSITIONS` is the machine; nothing else decides about states. A pair that is not listed changes nothing.

Spec: GBCS 10.2.2; ZSE 1.4 D.6
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from smetslab.errors import ZclDecodeError
from smetslab.han.tunnel_rules import Action, Deliver, Fail, Keep, Note, Opened, Send, TunnelRules
from smetslab.ids import Eui64
from smetslab.zigbee.zcl import Command, Record, ZclFrame, find_command
from smetslab.zigbee.zcl.clusters.tunnelling import TransferDataStatus, Tunnelling, TunnelStatus
from smetslab.zigbee.zcl.foundation import DefaultResponse, decode_general


class State(Enum):
    """Where the client stands with its peer."""

    IDLE = "idle"
    REQUESTED = "requested"
    OPEN = "open"
    BUSY = "busy"
    AWAY = "away"
    CLEARING = "clearing"
    REFUSED = "refused"


class Event(Enum):
    """What may happen to it."""

    WANTED = "wanted"
    GRANTED = "granted"
    BUSY = "busy"
    NO_IDS = "no-ids"
    UNSUPPORTED = "unsupported"
    LOST = "lost"
    CLEARED = "cleared"
    DEADLINE = "deadline"
    UNREACHABLE = "unreachable"


class Step(Enum):
    """What is done on the way from one state to the next."""

    REQUEST = "send Request Tunnel and wait for the answer"
    CLOSE_KNOWN = "send Close Tunnel for every known id and wait for the answers"
    FLUSH = "send what waits"
    FAIL = "report what waits as undeliverable"
    RENEW_LATER = "ask again when the answer is too old"
    RETRY_BUSY = "ask again after the busy time"
    RETRY_AWAY = "ask again when the device may be back"


TRANSITIONS: Mapping[tuple[State, Event], tuple[State, tuple[Step, ...]]] = MappingProxyType(
    {
        (State.IDLE, Event.WANTED): (State.REQUESTED, (Step.REQUEST,)),
        (State.REQUESTED, Event.GRANTED): (State.OPEN, (Step.RENEW_LATER, Step.FLUSH)),
        (State.REQUESTED, Event.BUSY): (State.BUSY, (Step.RETRY_BUSY,)),
        (State.REQUESTED, Event.NO_IDS): (State.CLEARING, (Step.CLOSE_KNOWN,)),
        (State.REQUESTED, Event.UNSUPPORTED): (State.REFUSED, (Step.RENEW_LATER, Step.FAIL)),
        (State.REQUESTED, Event.DEADLINE): (State.AWAY, (Step.RETRY_AWAY,)),
        (State.REQUESTED, Event.UNREACHABLE): (State.AWAY, (Step.RETRY_AWAY, Step.FAIL)),
        (State.OPEN, Event.WANTED): (State.OPEN, (Step.FLUSH,)),
        (State.OPEN, Event.LOST): (State.REQUESTED, (Step.REQUEST,)),
        (State.OPEN, Event.DEADLINE): (State.REQUESTED, (Step.REQUEST,)),
        (State.BUSY, Event.DEADLINE): (State.REQUESTED, (Step.REQUEST,)),
        (State.AWAY, Event.WANTED): (State.REQUESTED, (Step.REQUEST,)),
        (State.AWAY, Event.GRANTED): (State.OPEN, (Step.RENEW_LATER, Step.FLUSH)),
        (State.AWAY, Event.BUSY): (State.BUSY, (Step.RETRY_BUSY,)),
        (State.AWAY, Event.NO_IDS): (State.CLEARING, (Step.CLOSE_KNOWN,)),
        (State.AWAY, Event.UNSUPPORTED): (State.REFUSED, (Step.RENEW_LATER, Step.FAIL)),
        (State.AWAY, Event.DEADLINE): (State.REQUESTED, (Step.REQUEST,)),
        (State.CLEARING, Event.CLEARED): (State.REQUESTED, (Step.REQUEST,)),
        (State.CLEARING, Event.DEADLINE): (State.REQUESTED, (Step.REQUEST,)),
        (State.CLEARING, Event.UNREACHABLE): (State.AWAY, (Step.RETRY_AWAY, Step.FAIL)),
        (State.REFUSED, Event.WANTED): (State.REFUSED, (Step.FAIL,)),
        (State.REFUSED, Event.DEADLINE): (State.REQUESTED, (Step.REQUEST,)),
    }
)


@dataclass(slots=True)
class _Outgoing:
    token: int
    data: bytes
    gives_up_at: float
    resent: bool = False
    sequence: int = -1
    sent_at: float = 0.0


class ClientEngine:
    """Keeps one tunnel open with `peer` and sends messages through it.

    `known_ids` are tunnel ids from before a power cut: they are closed when the peer has no ids left.
    """

    def __init__(self, peer: Eui64, rules: TunnelRules, known_ids: Iterable[int] = ()) -> None:
        self.peer = peer
        self.state = State.IDLE
        self._rules = rules
        self._known_ids: dict[int, None] = dict.fromkeys(known_ids)
        self._closing: dict[int, int] = {}
        """Sequence numbers of Close Tunnel commands without an answer yet, with their tunnel ids."""
        self._tunnel_id: int | None = None
        self._peer_max_octets = 0
        self._queue: deque[_Outgoing] = deque()
        self._sent: deque[_Outgoing] = deque(maxlen=16)
        self._deadline: float | None = None
        self._sequence = 0
        self._request_sequence = -1

    @property
    def known_ids(self) -> tuple[int, ...]:
        """Tunnel ids that the peer may still hold for us; kept over a power cut."""
        return tuple(self._known_ids)

    def next_deadline(self) -> float | None:
        """When `expire` wants to be called, None for never."""
        moments = [message.gives_up_at for message in self._queue]
        if self._deadline is not None:
            moments.append(self._deadline)
        return min(moments, default=None)

    def start(self, now: float) -> list[Action]:
        """A tunnel is wanted: after joining, and when this end has power again."""
        return self._on(Event.WANTED, now)

    def submit(self, token: int, data: bytes, now: float) -> list[Action]:
        """Send a message; the outcome carries `token`."""
        self._queue.append(_Outgoing(token, data, now + self._rules.give_up_s))
        return self._on(Event.WANTED, now)

    def withdraw(self, token: int) -> None:
        """Nobody waits for this message any more: forget it unless it has been sent."""
        self._queue = deque(message for message in self._queue if message.token != token)

    def unreachable(self, now: float) -> list[Action]:
        """The peer did not acknowledge a command of ours that carried no message."""
        return self._on(Event.UNREACHABLE, now)

    def expire(self, now: float) -> list[Action]:
        """The time of `next_deadline` has come."""
        actions: list[Action] = []
        overdue = [message for message in self._queue if message.gives_up_at <= now]
        for message in overdue:
            self._queue.remove(message)
            actions.append(self._fail(message, "no tunnel in time"))
        if self._deadline is not None and self._deadline <= now:
            self._deadline = None
            actions += self._on(Event.DEADLINE, now)
        return actions

    def close(self, now: float) -> list[Action]:
        """The peer leaves: close every tunnel with it and give up what waits."""
        actions = [self._fail(message, "the device was removed") for message in self._queue]
        self._queue.clear()
        self.state = State.IDLE
        close = self._close_known(now)
        self._known_ids.clear()
        self._deadline = self._tunnel_id = None
        return [*actions, *close, Keep()]

    def receive(self, frame: ZclFrame, now: float) -> list[Action]:
        """A frame of the Tunnelling cluster has come from the peer."""
        if not frame.cluster_specific:
            return self._receive_general(frame, now)
        command = find_command(Tunnelling.id, frame)
        if command is None or not frame.server_to_client:
            return [self._note("FrameRefused", reason=f"unexpected command {frame.command}")]
        try:
            record = command.decode(frame.payload, base=frame.header_length)
            return self._receive_command(frame, command, record, now)
        except ZclDecodeError as error:
            return [self._note("FrameRefused", reason=str(error))]

    def _receive_command(self, frame: ZclFrame, command: Command, record: Record, now: float) -> list[Action]:
        if command is Tunnelling.request_tunnel_response:
            return self._answered(frame.sequence, record, now)
        if command is Tunnelling.transfer_data_to_client:
            return self._incoming(frame, record.integer("tunnel_id"), record.octets("data"))
        if command is Tunnelling.transfer_data_error_to_client:
            return self._refused(frame.sequence, record.integer("tunnel_id"), record.integer("status"), now)
        if command is Tunnelling.tunnel_closure_notification:
            return self._closed_by_peer(record.integer("tunnel_id"), now)
        # Flow control and questions about protocols, which GB devices do not use.
        return [self._note("FrameRefused", reason=f"unexpected command {command.name}")]

    def _receive_general(self, frame: ZclFrame, now: float) -> list[Action]:
        try:
            answer = decode_general(frame)
        except ZclDecodeError as error:
            return [self._note("FrameRefused", reason=str(error))]
        if not isinstance(answer, DefaultResponse) or frame.sequence not in self._closing:
            return []
        # Whatever the status: an id that the peer does not know is closed as well.
        closed = self._closing.pop(frame.sequence)
        self._known_ids.pop(closed, None)
        actions: list[Action] = [self._note("TunnelClosed", tunnel_id=closed), Keep()]
        if not self._closing:
            actions += self._on(Event.CLEARED, now)
        return actions

    def _answered(self, sequence: int, record: Record, now: float) -> list[Action]:
        if sequence != self._request_sequence:
            return [self._note("FrameRefused", reason="answer to a request that was not made")]
        self._request_sequence = -1
        status = record.integer("status")
        if status == TunnelStatus.SUCCESS:
            tunnel_id = record.integer("tunnel_id")
            peer_max_octets = record.integer("maximum_incoming_transfer_size")
            self._tunnel_id = tunnel_id
            self._peer_max_octets = peer_max_octets
            self._known_ids[tunnel_id] = None
            opened: list[Action] = [
                Keep(),
                self._note("TunnelOpened", tunnel_id=tunnel_id, max_transfer_octets=peer_max_octets),
                Opened(self.peer),
            ]
            return [*opened, *self._on(Event.GRANTED, now)]
        self._tunnel_id = None
        note = self._note("TunnelRefused", status=status)
        if status == TunnelStatus.NO_MORE_TUNNEL_IDS and self._known_ids:
            return [note, *self._on(Event.NO_IDS, now)]
        if status in (TunnelStatus.BUSY, TunnelStatus.NO_MORE_TUNNEL_IDS):
            return [note, *self._on(Event.BUSY, now)]
        return [note, *self._on(Event.UNSUPPORTED, now)]

    def _incoming(self, frame: ZclFrame, tunnel_id: int, data: bytes) -> list[Action]:
        status: TransferDataStatus
        if tunnel_id not in self._known_ids:
            status = TransferDataStatus.NO_SUCH_TUNNEL
        elif len(data) > self._rules.max_transfer_octets:
            status = TransferDataStatus.DATA_OVERFLOW
        else:
            return [Deliver(self.peer, data)]
        command = Tunnelling.transfer_data_error_to_server
        error = command.frame(
            command.record(tunnel_id=tunnel_id, status=int(status)),
            sequence=frame.sequence,
            disable_default_response=True,
        )
        return [
            self._note("TransferRefused", tunnel_id=tunnel_id, status=int(status)),
            Send(self.peer, None, error),
        ]

    def _refused(self, sequence: int, tunnel_id: int, status: int, now: float) -> list[Action]:
        """The peer did not take a transfer: find which, and send it again through a new tunnel, once."""
        actions: list[Action] = [self._note("TransferRefused", tunnel_id=tunnel_id, status=status)]
        recent = [sent for sent in self._sent if now - sent.sent_at <= self._rules.response_timeout_s]
        message = next((sent for sent in recent if sent.sequence == sequence), None)
        if message is not None:
            self._sent.remove(message)
        if status == TransferDataStatus.DATA_OVERFLOW:
            if message is not None:
                actions.append(self._fail(message, "the device has no room for it", transient=False))
            return actions
        if message is not None and message.resent:
            actions.append(self._fail(message, "refused again through a new tunnel"))
        elif message is not None:
            message.resent = True
            self._queue.appendleft(message)
        self._known_ids.pop(tunnel_id, None)
        actions.append(Keep())
        if tunnel_id == self._tunnel_id:
            self._tunnel_id = None
            return [*actions, *self._on(Event.LOST, now)]
        # The tunnel has been replaced in the meantime: what was refused goes through the new one.
        return [*actions, *self._on(Event.WANTED, now)]

    def _closed_by_peer(self, tunnel_id: int, now: float) -> list[Action]:
        self._known_ids.pop(tunnel_id, None)
        actions: list[Action] = [self._note("TunnelClosed", tunnel_id=tunnel_id), Keep()]
        if tunnel_id != self._tunnel_id:
            return actions
        self._tunnel_id = None
        return [*actions, *self._on(Event.LOST, now)]

    def _on(self, event: Event, now: float) -> list[Action]:
        following = TRANSITIONS.get((self.state, event))
        if following is None:
            return []
        self.state, steps = following
        actions: list[Action] = []
        for step in steps:
            actions += self._take(step, now)
        return actions

    def _take(self, step: Step, now: float) -> list[Action]:
        rules = self._rules
        if step is Step.REQUEST:
            return self._request(now)
        if step is Step.CLOSE_KNOWN:
            return self._close_known(now)
        if step is Step.FLUSH:
            return self._flush(now)
        if step is Step.FAIL:
            failed = [self._fail(message, "no tunnel with the device") for message in self._queue]
            self._queue.clear()
            return [*failed]
        if step is Step.RENEW_LATER:
            self._deadline = now + rules.renewal_s
        elif step is Step.RETRY_BUSY:
            self._deadline = now + rules.busy_retry_s
        else:
            self._deadline = now + rules.unreachable_retry_s
        return []

    def _request(self, now: float) -> list[Action]:
        self._deadline = now + self._rules.response_timeout_s
        self._request_sequence = self._next_sequence()
        command = Tunnelling.request_tunnel
        record = command.record(
            protocol_id=self._rules.protocol_id,
            manufacturer_code=self._rules.manufacturer_code,
            flow_control_support=False,
            maximum_incoming_transfer_size=self._rules.max_transfer_octets,
        )
        frame = command.frame(record, sequence=self._request_sequence, disable_default_response=True)
        return [self._note("TunnelRequested"), Send(self.peer, None, frame)]

    def _close_known(self, now: float) -> list[Action]:
        self._deadline = now + self._rules.response_timeout_s
        self._closing.clear()
        actions: list[Action] = []
        command = Tunnelling.close_tunnel
        for tunnel_id in self._known_ids:
            sequence = self._next_sequence()
            self._closing[sequence] = tunnel_id
            frame = command.frame(command.record(tunnel_id=tunnel_id), sequence=sequence)
            actions.append(Send(self.peer, None, frame))
        return actions

    def _flush(self, now: float) -> list[Action]:
        actions: list[Action] = []
        command = Tunnelling.transfer_data_to_server
        while self._queue and self._tunnel_id is not None:
            message = self._queue.popleft()
            if len(message.data) > self._peer_max_octets:
                what = f"{len(message.data)} octets, the device takes {self._peer_max_octets} in one transfer"
                actions.append(self._fail(message, what, transient=False))
                continue
            message.sequence = self._next_sequence()
            message.sent_at = now
            self._sent.append(message)
            frame = command.frame(
                command.record(tunnel_id=self._tunnel_id, data=message.data),
                sequence=message.sequence,
                disable_default_response=True,
            )
            actions.append(Send(self.peer, None, frame, message.token))
        return actions

    def _fail(self, message: _Outgoing, what: str, *, transient: bool = True) -> Fail:
        return Fail(self.peer, message.token, message.data, what, transient)

    def _note(self, event: str, **detail: str | int | bool | None) -> Note:
        return Note(self.peer, event, tuple(detail.items()))

    def _next_sequence(self) -> int:
        self._sequence = (self._sequence + 1) & 0xFF
        return self._sequence
