"""The application support sublayer of a device: acknowledgements, retries, fragments, and link-key security.

Spec: ZigBee 2.2.8.4 (transmission, reception, acknowledgement, duplicates, fragmentation), 4.4 (security)
"""

from __future__ import annotations

import random
import zlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from smetslab.errors import SecurityError, ZigbeeDecodeError
from smetslab.han.air.medium import Cancellable, Scheduler
from smetslab.han.limits import APS_ACKNOWLEDGEMENT_TIMEOUT_S, APS_MAX_RETRIES
from smetslab.han.stack.network import FrameCounter, IncomingCounters, KeyTable
from smetslab.han.stack.nwk_entity import NwkData, NwkEntity
from smetslab.ids import Eui64
from smetslab.value_class import value_class
from smetslab.zigbee import nwk
from smetslab.zigbee.aps import (
    ApsDelivery,
    ApsFrame,
    ApsFrameType,
    ExtendedHeader,
    FragmentKind,
    decode_aps,
    decode_aps_command,
    open_aps,
)
from smetslab.zigbee.fragment import Block, FragmentRules, FragmentSender, Reassembler
from smetslab.zigbee.rows import Row
from smetslab.zigbee.security import AuxiliaryHeader, KeyIdentifier, key_load_key, key_transport_key
from smetslab.zigbee.zcl.fields import FieldInput, Record

WHOLE_SECURED: Final = 73
WHOLE: Final = 82
"""Octets that fit into one frame with and without a link key. Spec: ZigBee 3.2.1, 2.2.5, 4.5.1 (sizes)."""
SLEEPER_EXTRA_S: Final = 7.68
"""How much longer an acknowledgement of a sleeper is waited for."""
DUPLICATE_MEMORY_S: Final = 8.0
"""How long a frame is remembered: longer than its sender tries."""

# Looking a member of an enumeration up is slow for what every frame asks.
_DATA, _COMMAND, _ACKNOWLEDGEMENT = ApsFrameType
_UNICAST, _BROADCAST = ApsDelivery
_WHOLE = FragmentKind.WHOLE
_DATA_KEY, _NETWORK_KEY = KeyIdentifier.DATA, KeyIdentifier.NETWORK

Done: TypeAlias = Callable[[bool], None]


@value_class(frozen=True, slots=True)
class ApsData:
    """A message between endpoints. `peer`: the other device by its short address; `secured`: under the link
    key.
    """

    peer: int
    cluster: int
    profile: int
    source_endpoint: int
    destination_endpoint: int
    payload: bytes
    secured: bool = False
    broadcast: bool = False
    sender: Eui64 | None = None
    """Who has sent the last hop of what has come."""


@dataclass(slots=True)
class ApsCounts:
    """What became of messages."""

    sent: int = 0
    received: int = 0
    repeats: int = 0
    malformed: int = 0
    no_key: int = 0
    wrong_key: int = 0
    replayed: int = 0
    no_acknowledgement: int = 0
    lost_fragments: int = 0


@dataclass(slots=True)
class _Pending:
    """A message that waits for its acknowledgement."""

    data: ApsData
    counter: int
    done: Done | None
    tag: int | None
    retries: int = 0
    fragments: FragmentSender | None = None
    timer: Cancellable | None = None


class ApsEntity:
    """APS of one device. `received` is called with each message once, `commanded` with APS commands."""

    def __init__(
        self,
        network: NwkEntity,
        scheduler: Scheduler,
        rng: random.Random,
        *,
        counter: FrameCounter,
        received: Callable[[ApsData, int], None],
        commanded: Callable[[Row, Record, NwkData, KeyIdentifier | None], None],
        fragments: FragmentRules | None = None,
    ) -> None:
        self.network = network
        self.counts = ApsCounts()
        self.counter = counter
        self.link_keys: dict[Eui64, bytes] = {}
        """The link key with each peer."""
        self.preconfigured: bytes | None = None
        """The link key of a device that knows no peer yet: what its install code stands for."""
        self.unknown: Callable[[int], None] = lambda _address: None
        """Called with the short address of a message whose sender is not known."""
        self._scheduler = scheduler
        self._received = received
        self._commanded = commanded
        self._fragments = FragmentRules() if fragments is None else fragments
        self._keys = KeyTable()
        self._used: dict[bytes, None] = {}
        self._incoming = IncomingCounters()
        self._next_counter = rng.randrange(256)
        self._pending: dict[tuple[int, int], _Pending] = {}
        self._reassemblers: dict[int, Reassembler] = {}
        self._seen: OrderedDict[tuple[int, int, int, int], float] = OrderedDict()

    def used_keys(self) -> tuple[bytes, ...]:
        """Every link key that has sealed or opened a frame here, or from which the key followed that did."""
        return tuple(self._used)

    def forget(self) -> None:
        """The power goes."""
        for pending in self._pending.values():
            if pending.timer is not None:
                pending.timer.cancel()
        self._pending.clear()
        self._reassemblers.clear()
        self._seen.clear()

    def forget_counters(self, eui64: Eui64) -> None:
        """There is a new key with a device: its counters begin anew."""
        self._incoming.forget(eui64)

    def forget_device(self, eui64: Eui64) -> None:
        """A device has left or joins anew."""
        self.forget_counters(eui64)
        self.link_keys.pop(eui64, None)

    # ---------------------------------------------------------------------------- sending

    def send(self, data: ApsData, done: Done | None = None, tag: int | None = None) -> int:
        """Send a message to one device; `done` is told when it was acknowledged, or that it was not. Its APS
        counter is returned; `tag` goes on the air with each of its frames.

        Raises SecurityError when it should be secured and there is no link key with the peer.
        """
        if data.secured:
            self._link_key(data.peer)
        counter = self._take_counter()
        pending = _Pending(data, counter, done, tag)
        self._pending[data.peer, counter] = pending
        self.counts.sent += 1
        if len(data.payload) > (WHOLE_SECURED if data.secured else WHOLE):
            pending.fragments = FragmentSender(data.payload, self._rules(data.peer))
            self._send_blocks(pending, pending.fragments.start(self._scheduler.time()))
        else:
            self._send_whole(pending)
        return counter

    def broadcast(self, data: ApsData, destination: int = nwk.BROADCAST_AWAKE) -> None:
        """Send a message to everybody, without acknowledgement."""
        frame = self._frame(data, self._take_counter())
        self.network.broadcast(
            replace(frame, delivery=ApsDelivery.BROADCAST, ack_request=False).encode(), destination
        )

    def command(
        self,
        row: Row,
        destination: int,
        done: Done | None = None,
        /,
        *,
        protection: KeyIdentifier | None = None,
        link_key: bytes = b"",
        network_secured: bool = True,
        **values: FieldInput,
    ) -> None:
        """Send an APS command, under the key that `protection` names and that follows from `link_key`, or
        under no key of this layer. `done` is told whether the first hop has acknowledged it.
        """
        if protection is None:
            octets = self._command_frame(row, values).encode()
        else:
            octets = self.sealed_command(row, protection, link_key, **values)
        self.network.unicast(destination, octets, done, secured=network_secured)

    def broadcast_command(self, row: Row, /, **values: FieldInput) -> None:
        """Send an APS command to everybody who is awake, under the network key alone."""
        frame = replace(self._command_frame(row, values), delivery=ApsDelivery.BROADCAST)
        self.network.broadcast(frame.encode(), nwk.BROADCAST_AWAKE)

    def sealed_command(self, row: Row, key: KeyIdentifier, link_key: bytes, /, **values: FieldInput) -> bytes:
        """A whole APS command under the key that `key` names and that follows from `link_key`."""
        own = self.network.eui64
        auxiliary = AuxiliaryHeader(key, self.counter.next(), own)
        frame = replace(self._command_frame(row, values), security=auxiliary)
        self._used[link_key] = None
        return frame.seal(self._keys.cipher(_derived(link_key, key)), own)

    def _command_frame(self, row: Row, values: dict[str, FieldInput]) -> ApsFrame:
        payload = bytes((row.id,)) + row.encode(**values)
        return ApsFrame(kind=ApsFrameType.COMMAND, counter=self._take_counter(), payload=payload)

    def _take_counter(self) -> int:
        self._next_counter = self._next_counter + 1 & 0xFF
        return self._next_counter

    def _rules(self, peer: int) -> FragmentRules:
        return replace(self._fragments, ack_timeout_s=self._timeout_s(peer))

    def _timeout_s(self, peer: int) -> float:
        extra = SLEEPER_EXTRA_S if peer in self.network.sleepers else 0.0
        return APS_ACKNOWLEDGEMENT_TIMEOUT_S + extra

    def _frame(self, data: ApsData, counter: int, block: Block | None = None) -> ApsFrame:
        return ApsFrame(  # by position, which is twice as fast
            _DATA,
            counter,
            data.payload if block is None else block.octets,
            _UNICAST,
            data.destination_endpoint,
            data.source_endpoint,
            data.cluster,
            data.profile,
            True,
            None if block is None else block.extended,
        )

    def _send_whole(self, pending: _Pending) -> None:
        self._out(pending, self._frame(pending.data, pending.counter))
        deadline = self._scheduler.time() + self._timeout_s(pending.data.peer)
        pending.timer = self._scheduler.call_at(deadline, self._unacknowledged, pending)

    def _send_blocks(self, pending: _Pending, blocks: list[Block]) -> None:
        for block in blocks:
            self._out(pending, self._frame(pending.data, pending.counter, block))
        if pending.timer is not None:
            pending.timer.cancel()
            pending.timer = None
        deadline = None if pending.fragments is None else pending.fragments.next_deadline()
        if deadline is not None:
            pending.timer = self._scheduler.call_at(deadline, self._unacknowledged, pending)

    def _out(self, pending: _Pending, frame: ApsFrame) -> None:
        peer = pending.data.peer
        octets = self._secured(peer, frame) if pending.data.secured else frame.encode()
        self.network.unicast(peer, octets, tag=pending.tag)

    def _secured(self, peer: int, frame: ApsFrame) -> bytes:
        """Under the link key with the peer; whose counter it is the network layer's header says."""
        auxiliary = AuxiliaryHeader(_DATA_KEY, self.counter.next())
        link_key = self._link_key(peer)
        self._used[link_key] = None
        cipher = self._keys.cipher(link_key)
        return frame.seal(cipher, self.network.eui64, auxiliary)

    def _link_key(self, peer: int) -> bytes:
        eui64 = self.network.addresses.eui64(peer)
        key = None if eui64 is None else self.link_keys.get(eui64)
        if key is None:
            raise SecurityError("link key", f"there is none with {peer:04X}", spec="ZigBee 4.4.1.1")
        return key

    def _unacknowledged(self, pending: _Pending) -> None:
        pending.timer = None
        if pending.fragments is not None:
            blocks = pending.fragments.expire(self._scheduler.time())
            if pending.fragments.failed:
                self._give_up(pending)
            else:
                self._send_blocks(pending, blocks)
            return
        pending.retries += 1
        if pending.retries > APS_MAX_RETRIES:
            self._give_up(pending)
        else:
            self._send_whole(pending)

    def _give_up(self, pending: _Pending) -> None:
        self.counts.no_acknowledgement += 1
        self._finish(pending, ok=False)

    def _finish(self, pending: _Pending, *, ok: bool) -> None:
        if self._pending.get((pending.data.peer, pending.counter)) is pending:
            del self._pending[pending.data.peer, pending.counter]
        if pending.timer is not None:
            pending.timer.cancel()
        if pending.done is not None:
            pending.done(ok)

    # ---------------------------------------------------------------------------- receiving

    def take(self, data: NwkData) -> None:
        """Data of the network layer has come."""
        try:
            frame = decode_aps(data.payload)
            payload = frame.payload if frame.security is None else self._open(frame, data)
            if payload is None:
                return
            if frame.kind is _COMMAND:
                row, record = decode_aps_command(payload)
                self._commanded(row, record, data, None if frame.security is None else frame.security.key)
            elif not data.secured:
                self.network.counts.unsecured += 1
            elif frame.kind is _ACKNOWLEDGEMENT:
                self._acknowledged(frame, data)
            else:
                self._take_data(frame, payload, data)
        except ZigbeeDecodeError:
            self.counts.malformed += 1

    def _open(self, frame: ApsFrame, data: NwkData) -> bytes | None:
        """The payload of a secured frame, if it is new and was sealed under the key that it names."""
        auxiliary = frame.security
        if auxiliary is None:
            return None
        sender = auxiliary.source
        if sender is None:
            sender = self.network.addresses.eui64(data.source)
        link_key = None if sender is None else self.link_keys.get(sender, self.preconfigured)
        if sender is None or link_key is None or auxiliary.key is _NETWORK_KEY:
            self.counts.no_key += 1
            if sender is None and data.secured:
                self.unknown(data.source)
            return None
        try:
            payload = open_aps(frame, self._keys.cipher(_derived(link_key, auxiliary.key)), sender)
        except SecurityError:
            self.counts.wrong_key += 1
            return None
        self._used[link_key] = None
        if not self._incoming.admit(sender, int(auxiliary.key), auxiliary.frame_counter):
            self.counts.replayed += 1
            return None
        return payload

    def _take_data(self, frame: ApsFrame, payload: bytes, data: NwkData) -> None:
        if frame.cluster is None:
            self.counts.malformed += 1
            return
        secured = frame.security is not None
        message: bytes | None = payload
        acknowledge: ExtendedHeader | None = None
        fragment = frame.extended is not None and frame.extended.kind is not _WHOLE
        if fragment and frame.extended is not None:
            reassembler = self._reassemblers.setdefault(data.source, Reassembler(self._fragments))
            now = self._scheduler.time()
            self.counts.lost_fragments += reassembler.expire(now)
            received = reassembler.receive(frame.counter, frame.extended, payload, now)
            message, acknowledge = received.message, received.acknowledge
        if frame.ack_request and (not fragment or acknowledge is not None):
            self._acknowledge(frame, data.source, acknowledge, secured=secured)
        if message is None or (not fragment and self._is_repeat(frame, payload, data.source)):
            return
        self.counts.received += 1
        self._received(
            ApsData(
                data.source,
                frame.cluster,
                frame.profile,
                frame.source_endpoint,
                frame.destination_endpoint,
                message,
                secured,
                frame.delivery is _BROADCAST,
                data.sender,
            ),
            frame.counter,
        )

    def _is_repeat(self, frame: ApsFrame, payload: bytes, source: int) -> bool:
        """Whether this very frame has come before; counters alone come round too soon."""
        now = self._scheduler.time()
        while self._seen and next(iter(self._seen.values())) <= now:
            self._seen.popitem(last=False)
        index = (source, frame.counter, frame.cluster or 0, zlib.crc32(payload))
        if index in self._seen:
            self.counts.repeats += 1
            return True
        self._seen[index] = now + DUPLICATE_MEMORY_S
        return False

    def _acknowledge(
        self, frame: ApsFrame, peer: int, extended: ExtendedHeader | None, *, secured: bool
    ) -> None:
        """Spec: ZigBee 2.2.8.4.2; secured as what it acknowledges was (unverified)."""
        answer = ApsFrame(
            _ACKNOWLEDGEMENT,
            frame.counter,
            b"",
            _UNICAST,
            frame.source_endpoint,
            frame.destination_endpoint,
            frame.cluster,
            frame.profile,
            False,
            extended,
        )
        octets = self._secured(peer, answer) if secured else answer.encode()
        self.network.unicast(peer, octets)

    def _acknowledged(self, frame: ApsFrame, data: NwkData) -> None:
        pending = self._pending.get((data.source, frame.counter))
        if pending is None or pending.data.cluster != frame.cluster:
            return
        if pending.data.secured and frame.security is None:
            self.counts.no_key += 1
            return
        if pending.fragments is None:
            self._finish(pending, ok=True)
            return
        if frame.extended is None:
            return
        blocks = pending.fragments.acknowledged(frame.extended, self._scheduler.time())
        if pending.fragments.done:
            self._finish(pending, ok=True)
        elif pending.fragments.failed:
            self._give_up(pending)
        elif blocks:
            self._send_blocks(pending, blocks)


def _derived(link_key: bytes, identifier: KeyIdentifier) -> bytes:
    """The key that an identifier means, of those that follow from a link key. Spec: ZigBee 4.5.3."""
    if identifier is _DATA_KEY:
        return link_key
    if identifier is KeyIdentifier.KEY_TRANSPORT:
        return key_transport_key(link_key)
    if identifier is KeyIdentifier.KEY_LOAD:
        return key_load_key(link_key)
    return link_key
