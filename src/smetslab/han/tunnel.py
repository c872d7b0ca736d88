"""Tunnels: GBCS messages between the hub and a device, in Transfer Data commands of the Tunnelling cluster.

This is the shell of the state machines in `tunnel_client` and `tunnel_server`: it gives them frames and the
time, and does what they ask for. The hub is the client towards ESME, HCALCS and PPMID; towards a GSME it is
the server.

Spec: GBCS 10.2.2
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, TypeAlias

from smetslab.clock import Clock
from smetslab.errors import HanError, LocalProtocolError, StoreError, ZclDecodeError
from smetslab.han.limits import SMART_ENERGY_PROFILE
from smetslab.han.service import ApsFrame, ApsService, ClusterRole
from smetslab.han.tunnel_client import ClientEngine
from smetslab.han.tunnel_rules import Action, Deliver, Fail, Keep, Note, Send, TunnelRules
from smetslab.han.tunnel_server import ServerEngine, Tunnel
from smetslab.ids import Eui64
from smetslab.inbox import Inbox
from smetslab.store import Nvm
from smetslab.trace import Detail, Trace
from smetslab.zigbee.zcl import ZclFrame, decode_frame
from smetslab.zigbee.zcl.clusters.tunnelling import Tunnelling

OnData: TypeAlias = Callable[[Eui64, bytes], None]
"""Called for every message from a peer: put it into an inbox and return."""
OnOpened: TypeAlias = Callable[[Eui64], None]
"""Called when a tunnel with the peer has been opened or renewed: messages can go."""
OnUndelivered: TypeAlias = Callable[[Eui64, bytes, HanError], None]
"""Called when the peer refuses a message for which `send` had returned already."""


class TunnelEndpoint(Protocol):
    """What both ends of tunnels offer; an async context manager."""

    async def send(self, peer: Eui64, data: bytes) -> None:
        """Send a message; returns when the peer has acknowledged it, HanError when it cannot be delivered."""
        ...


@dataclass(frozen=True, slots=True)
class _Arrived:
    """A frame has come."""

    frame: ApsFrame


@dataclass(frozen=True, slots=True)
class _Submitted:
    """A message is to go."""

    peer: Eui64
    token: int
    data: bytes


@dataclass(frozen=True, slots=True)
class _Withdrawn:
    """Nobody waits for a message any more."""

    token: int


@dataclass(frozen=True, slots=True)
class _Started:
    """The tunnel is wanted."""


@dataclass(frozen=True, slots=True)
class _Removed:
    """The tunnel is not wanted any more."""


@dataclass(frozen=True, slots=True)
class _Due:
    """The deadline of the engine has come."""


_Event: TypeAlias = _Arrived | _Submitted | _Withdrawn | _Started | _Removed | _Due


class _Session(ABC):
    """One engine with its inbox: events in, and what the engine asks for done one after the other."""

    def __init__(self, shell: _Shell) -> None:
        self._shell = shell
        self._inbox: Inbox[_Event] = Inbox()

    def post(self, event: _Event) -> None:
        self._inbox.put_nowait(event)

    async def serve(self) -> None:
        clock = self._shell.clock
        timer: asyncio.TimerHandle | None = None
        event: _Event | None = None
        try:
            while not isinstance(event, _Removed):
                deadline = self.next_deadline()
                timer = None if deadline is None else clock.call_at(deadline, self.post, _Due())
                event = await self._inbox.get()
                if timer is not None:
                    timer.cancel()
                actions = self.handle(event, clock.time())
                while actions:
                    actions = await self._do(actions)
        finally:
            if timer is not None:
                timer.cancel()

    async def _do(self, actions: list[Action]) -> list[Action]:
        """Do what the engine asks for; the result is what it asks for because of that."""
        further: list[Action] = []
        for action in actions:
            if isinstance(action, Send):
                further += await self._send(action)
            elif isinstance(action, Keep):
                self.keep()
            elif isinstance(action, Deliver):
                self._shell.on_data(action.peer, action.data)
            elif isinstance(action, Note):
                self._shell.note(action.event, action.peer, **dict(action.detail))
            elif isinstance(action, Fail):
                error = HanError(f"message to {action.peer}: {action.what}", transient=action.transient)
                self._shell.end(action.peer, action.token, action.data, error)
            else:
                self._shell.on_opened(action.peer)
        return further

    async def _send(self, action: Send) -> list[Action]:
        try:
            await self._shell.transmit(action)
        except HanError as error:
            if action.token is not None:
                self._shell.end(action.peer, action.token, b"", error)
                return []
            self._shell.note("FrameNotAcknowledged", action.peer, reason=str(error))
            return self.unreachable(self._shell.clock.time())
        if action.token is not None:
            self._shell.end(action.peer, action.token, b"", None)
        return []

    def decode(self, arrived: _Arrived) -> ZclFrame | None:
        """The ZCL frame that has come; None, and a word in the trace, when it is none."""
        try:
            return decode_frame(arrived.frame.payload)
        except ZclDecodeError as error:
            self._shell.note("FrameRefused", arrived.frame.source, reason=str(error))
            return None

    @abstractmethod
    def next_deadline(self) -> float | None:
        """When the engine wants `_Due`."""

    @abstractmethod
    def handle(self, event: _Event, now: float) -> list[Action]:
        """Tell the engine."""

    @abstractmethod
    def unreachable(self, now: float) -> list[Action]:
        """Tell the engine that a command of its own was not acknowledged."""

    @abstractmethod
    def keep(self) -> None:
        """Put what the engine knows into non-volatile memory."""


class _ClientSession(_Session):
    def __init__(self, shell: _Shell, peer: Eui64) -> None:
        super().__init__(shell)
        self._key = f"han.tunnel-ids.{peer}"
        self._engine = ClientEngine(peer, shell.rules, self._kept())

    def _kept(self) -> list[int]:
        kept = None if self._shell.nvm is None else self._shell.nvm.get_json(self._key)
        if not isinstance(kept, list):
            return []
        return [number for number in kept if isinstance(number, int)]

    def keep(self) -> None:
        if self._shell.nvm is None:
            return
        with self._shell.nvm.transaction() as transaction:
            if self._engine.known_ids:
                transaction.put_json(self._key, [*self._engine.known_ids])
            else:
                transaction.delete(self._key)

    def next_deadline(self) -> float | None:
        return self._engine.next_deadline()

    def handle(self, event: _Event, now: float) -> list[Action]:
        if isinstance(event, _Arrived):
            frame = self.decode(event)
            return [] if frame is None else self._engine.receive(frame, now)
        if isinstance(event, _Submitted):
            return self._engine.submit(event.token, event.data, now)
        if isinstance(event, _Withdrawn):
            self._engine.withdraw(event.token)
            return []
        if isinstance(event, _Started):
            return self._engine.start(now)
        if isinstance(event, _Removed):
            return self._engine.close(now)
        return self._engine.expire(now)

    def unreachable(self, now: float) -> list[Action]:
        return self._engine.unreachable(now)


class _ServerSession(_Session):
    _KEY = "han.tunnels"

    def __init__(self, shell: _Shell) -> None:
        super().__init__(shell)
        self.engine = ServerEngine(shell.rules, self._kept(), shell.clock.time())

    def _kept(self) -> list[Tunnel]:
        kept = None if self._shell.nvm is None else self._shell.nvm.get_json(self._KEY)
        tunnels: list[Tunnel] = []
        for row in kept if isinstance(kept, list) else ():
            match row:
                case [int(tunnel_id), str(peer), int(endpoint), int(peer_max_octets)]:
                    tunnels.append(Tunnel(tunnel_id, Eui64.parse(peer), endpoint, peer_max_octets))
                case _:
                    raise StoreError(f"{self._KEY} holds no tunnel: {row!r}")
        return tunnels

    def keep(self) -> None:
        if self._shell.nvm is None:
            return
        with self._shell.nvm.transaction() as transaction:
            transaction.put_json(
                self._KEY,
                [
                    [tunnel.tunnel_id, str(tunnel.peer), tunnel.endpoint, tunnel.peer_max_octets]
                    for tunnel in self.engine.tunnels
                ],
            )

    def next_deadline(self) -> float | None:
        return self.engine.next_deadline()

    def handle(self, event: _Event, now: float) -> list[Action]:
        if isinstance(event, _Arrived):
            frame = self.decode(event)
            if frame is None:
                return []
            return self.engine.receive(event.frame.source, event.frame.source_endpoint, frame, now)
        if isinstance(event, _Submitted):
            return self.engine.submit(event.peer, event.token, event.data, now)
        if isinstance(event, _Due):
            return self.engine.expire(now)
        return []

    def unreachable(self, now: float) -> list[Action]:
        return []


class _Shell(ABC):
    """What clients and servers share: a place on the HAN, tasks, and messages whose senders wait."""

    def __init__(
        self,
        aps: ApsService,
        clock: Clock,
        trace: Trace,
        *,
        endpoint: int,
        on_data: OnData,
        on_opened: OnOpened | None = None,
        on_undelivered: OnUndelivered | None = None,
        rules: TunnelRules | None = None,
        nvm: Nvm | None = None,
    ) -> None:
        self.clock = clock
        self.rules = TunnelRules() if rules is None else rules
        self.nvm = nvm
        self.on_data = on_data
        self.on_opened: OnOpened = _ignore if on_opened is None else on_opened
        self._on_undelivered = on_undelivered
        self._aps = aps
        self._trace = trace
        self._endpoint = endpoint
        self._peer_endpoints: dict[Eui64, int] = {}
        self._group: asyncio.TaskGroup | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._unregister: Callable[[], None] | None = None
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._next_token = 0

    async def open(self, role: ClusterRole) -> None:
        if self._group is not None:
            raise LocalProtocolError("the tunnel endpoint is open already")
        group = asyncio.TaskGroup()
        await group.__aenter__()
        self._group = group
        self._unregister = self._aps.register(
            self._endpoint, SMART_ENERGY_PROFILE, Tunnelling.id, role, self.arrive
        )

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._unregister is not None:
            self._unregister()
            self._unregister = None
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(HanError("the tunnel endpoint was closed"))
        self._waiting.clear()
        group, self._group = self._group, None
        if group is None:
            return
        try:
            await group.__aexit__(kind, error, traceback)
        except BaseExceptionGroup as failure:
            # Sessions without a fault must not wrap the exception of the block around them.
            if failure.exceptions != (error,):
                raise

    @abstractmethod
    def arrive(self, frame: ApsFrame) -> None:
        """A frame of the Tunnelling cluster has come; every shell has its own way to find the session."""

    def spawn(self, session: _Session, name: str) -> None:
        if self._group is None:
            raise LocalProtocolError("the tunnel endpoint is not open: use it inside its `async with` block")
        self._tasks = [task for task in self._tasks if not task.done()]
        self._tasks.append(self._group.create_task(session.serve(), name=f"{self._aps.eui64} {name}"))

    async def transmit(self, action: Send) -> None:
        """Send a frame of an engine."""
        endpoint = action.endpoint
        if endpoint is None:
            endpoint = await self._find(action.peer)
        frame = ApsFrame(
            source=self._aps.eui64,
            source_endpoint=self._endpoint,
            destination=action.peer,
            destination_endpoint=endpoint,
            profile=SMART_ENERGY_PROFILE,
            cluster=Tunnelling.id,
            payload=action.frame.encode(),
        )
        try:
            await self._aps.send(frame)
        except HanError:
            # The device may come back with other endpoints, for instance with other firmware.
            self._peer_endpoints.pop(action.peer, None)
            raise

    async def _find(self, peer: Eui64) -> int:
        if peer not in self._peer_endpoints:
            self._peer_endpoints[peer] = await self._aps.find_endpoint(
                peer, SMART_ENERGY_PROFILE, Tunnelling.id, ClusterRole.SERVER
            )
        return self._peer_endpoints[peer]

    async def submit(self, session: _Session, peer: Eui64, data: bytes) -> None:
        """Hand a message to a session and wait for its fate."""
        if self._group is None:
            raise HanError("the tunnel endpoint is closed")
        if len(data) > self.rules.max_transfer_octets:
            raise HanError(
                f"message to {peer}: {len(data)} octets, a tunnel takes {self.rules.max_transfer_octets} "
                "in one transfer",
                transient=False,
            )
        token = self._next_token
        self._next_token += 1
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[token] = future
        session.post(_Submitted(peer, token, bytes(data)))
        try:
            await future
        except asyncio.CancelledError:
            session.post(_Withdrawn(token))
            raise
        finally:
            self._waiting.pop(token, None)

    def end(self, peer: Eui64, token: int, data: bytes, error: HanError | None) -> None:
        """A message has met its fate: tell whoever waits, or that it came back after all."""
        future = self._waiting.get(token)
        if future is None:
            if error is not None and data and self._on_undelivered is not None:
                self._on_undelivered(peer, data, error)
        elif not future.done():
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

    def note(self, event: str, peer: Eui64, **detail: Detail) -> None:
        self._trace.record("han", event, source=str(self._aps.eui64), target=str(peer), data=b"", **detail)


def _ignore(_peer: Eui64) -> None:
    """Nobody wants to know that a tunnel is open."""


class TunnelClient(_Shell):
    """The client end: keeps a tunnel open with every device that is added, and sends through it.

    With `nvm` it remembers the tunnel ids of its devices over a power cut, to close them when one has no
    ids left.
    """

    _sessions: dict[Eui64, _ClientSession]

    async def __aenter__(self) -> TunnelClient:
        self._sessions = {}
        await self.open(ClusterRole.CLIENT)
        return self

    def add(self, peer: Eui64) -> None:
        """Open a tunnel with `peer` and keep it: after it has joined, and when this end has power again."""
        if peer not in self._sessions:
            session = _ClientSession(self, peer)
            self.spawn(session, f"tunnel to {peer}")
            self._sessions[peer] = session
        self._sessions[peer].post(_Started())

    def remove(self, peer: Eui64) -> None:
        """Close the tunnels with `peer`; what waits for it fails."""
        session = self._sessions.pop(peer, None)
        if session is not None:
            session.post(_Removed())

    async def send(self, peer: Eui64, data: bytes) -> None:
        """Send a message to a device that was added; waits for a tunnel as long as the rules allow."""
        session = self._sessions.get(peer)
        if session is None:
            raise HanError(f"no tunnel is kept with {peer}", transient=False)
        await self.submit(session, peer, data)

    def arrive(self, frame: ApsFrame) -> None:
        session = self._sessions.get(frame.source)
        if session is None:
            self.note("FrameRefused", frame.source, reason="no tunnel is kept with this device")
        else:
            session.post(_Arrived(frame))


class TunnelServer(_Shell):
    """The server end: grants tunnels and sends through them. With `nvm` open tunnels survive a power cut."""

    _session: _ServerSession

    async def __aenter__(self) -> TunnelServer:
        self._session = _ServerSession(self)
        await self.open(ClusterRole.SERVER)
        self.spawn(self._session, "tunnels")
        return self

    @property
    def tunnels(self) -> tuple[Tunnel, ...]:
        """What is open."""
        return self._session.engine.tunnels

    def set_busy(self, busy: bool) -> None:
        """Answer new requests with BUSY, or not any more."""
        self._session.engine.busy = busy

    async def send(self, peer: Eui64, data: bytes) -> None:
        """Send a message to a client; HanError when it has no tunnel with this device."""
        await self.submit(self._session, peer, data)

    def arrive(self, frame: ApsFrame) -> None:
        self._session.post(_Arrived(frame))
