"""General block transfer: messages too long for one transfer, carried in numbered blocks.

Each block is an envelope of its own, told from a message by its populated transaction id (`DD 09` instead of
`DD 00`). The blocks' data, concatenated, is an ordinary message, which is then authenticated as usual; a
block has
no protection. `BlockTransfer` is the whole engine of one actor: sans-I/O, fed with octets and the time.

Blocks that leave in one go form a window: all but its last have the streaming bit. The receiver answers a
block
without that bit with an acknowledgement, a block without data whose `acknowledged` is the highest number up
to which nothing is missing; the sender goes on from there.

No published message shows a block. The layout is that of published dissectors; window, timers, the security
control octet and the header of an acknowledgement are unverified, and parameters where they can be.

Spec: GBCS 7.2.11; IEC 62056-5-3 General-Block-Transfer.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.message import GENERAL_CIPHERING, MAX_MESSAGE_BYTES, decode_message
from smetslab.ids import Eui64
from smetslab.wire import Reader, ber_length

GENERAL_BLOCK_TRANSFER = 0xE0
BLOCK_MARK = b"\xdd\x09"
MAX_BLOCK_NUMBER = 0xFFFF
MAX_WINDOW = 63

_SPEC = "GBCS 7.2.11"
_LAST, _STREAMING = 0x80, 0x40
_SECURITY_HEADER = bytes(5)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRules:
    """Sizes and timers. Only `block_octets` is published; the rest is unverified and therefore
    configurable."""

    block_octets: int = 1200
    window: int = 8
    resend_after_s: float = 60.0
    attempts: int = 3
    reassembly_limit_s: float = 600.0
    concurrent: int = 16
    """Messages that are reassembled at once; the one that waited longest gives way."""

    def __post_init__(self) -> None:
        if not 1 <= self.window <= MAX_WINDOW or self.block_octets < 1:
            raise ValueError(f"window must be 1 to {MAX_WINDOW} and block_octets at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block, or an acknowledgement (no data). `number` counts from 1; `acknowledged` is 0 when nothing
    is."""

    cra: Cra
    originator_counter: int
    business_originator_id: Eui64
    business_target_id: Eui64
    message_code: int
    number: int
    acknowledged: int = 0
    last: bool = False
    streaming: bool = False
    window: int = 1
    data: bytes = b""
    security_header: bytes = _SECURITY_HEADER

    def encode(self) -> bytes:
        control = (_LAST if self.last else 0) | (_STREAMING if self.streaming else 0) | self.window
        inner = b"".join(
            (
                self.security_header,
                bytes((GENERAL_BLOCK_TRANSFER, control)),
                self.number.to_bytes(2, "big"),
                self.acknowledged.to_bytes(2, "big"),
                ber_length(len(self.data)),
                self.data,
            )
        )
        return b"".join(
            (
                BLOCK_MARK,
                bytes((self.cra,)),
                self.originator_counter.to_bytes(8, "big"),
                b"\x08",
                self.business_originator_id.raw,
                b"\x08",
                self.business_target_id.raw,
                b"\x00\x02",
                self.message_code.to_bytes(2, "big"),
                b"\x00",
                ber_length(len(inner)),
                inner,
            )
        )


def is_block(data: bytes) -> bool:
    """True when `data` starts as a block and not as a message."""
    return data[:2] == BLOCK_MARK


def decode_block(data: bytes) -> Block:
    """Read one whole block. Raises GbcsDecodeError."""
    reader = Reader(data)
    reader.expect(BLOCK_MARK, "block.tag and transaction id length", _SPEC)
    cra = reader.u8("block.CRA flag")
    if not 1 <= cra <= 3:
        reader.position -= 1
        raise reader.fail(
            "unknown CRA flag", path="block.CRA flag", expected="01, 02 or 03", found=f"{cra:02X}", spec=_SPEC
        )
    counter = reader.unsigned(8, "block.originator counter")
    reader.expect(b"\x08", "block.originator length", _SPEC)
    originator = Eui64(reader.take(8, "block.business originator id"))
    reader.expect(b"\x08", "block.recipient length", _SPEC)
    target = Eui64(reader.take(8, "block.business target id"))
    reader.expect(b"\x00\x02", "block.date-time and other information length", _SPEC)
    message_code = reader.unsigned(2, "block.message code")
    reader.expect(b"\x00", "block.key info", _SPEC)
    length = reader.ber_length("block.ciphered service length")
    if length != reader.remaining:
        raise reader.fail(
            "ciphered service length does not match the block",
            path="block.ciphered service length",
            expected=str(reader.remaining),
            found=str(length),
            spec=_SPEC,
        )
    security_header = reader.take(5, "block.security header")
    reader.expect(bytes((GENERAL_BLOCK_TRANSFER,)), "block.general-block-transfer tag", _SPEC)
    control = reader.u8("block.block control")
    number = reader.unsigned(2, "block.block number")
    acknowledged = reader.unsigned(2, "block.block number acknowledged")
    payload = reader.take(reader.ber_length("block.length"), "block.data")
    reader.finish("block")
    return Block(
        cra=Cra(cra),
        originator_counter=counter,
        business_originator_id=originator,
        business_target_id=target,
        message_code=message_code,
        number=number,
        acknowledged=acknowledged,
        last=bool(control & _LAST),
        streaming=bool(control & _STREAMING),
        window=control & MAX_WINDOW,
        data=payload,
        security_header=security_header,
    )


_Key = tuple[int, int, Eui64, Eui64]


def _key(block: Block) -> _Key:
    return block.cra, block.originator_counter, block.business_originator_id, block.business_target_id


def _reply_key(block: Block) -> _Key:
    """The key of the transfer that an acknowledgement, which goes the other way, belongs to."""
    return block.cra, block.originator_counter, block.business_target_id, block.business_originator_id


def segment(message: bytes, rules: BlockRules) -> tuple[Block, ...]:
    """The blocks of one message. Raises GbcsDecodeError when `message` is none or needs too many blocks."""
    header = decode_message(message)
    size = rules.block_octets
    parts = [message[start : start + size] for start in range(0, len(message), size)]
    if len(parts) > MAX_BLOCK_NUMBER:
        raise GbcsDecodeError(
            "too many blocks",
            path="block",
            expected=f"at most {MAX_BLOCK_NUMBER}",
            found=str(len(parts)),
            spec=_SPEC,
        )
    return tuple(
        Block(
            cra=header.cra,
            originator_counter=header.originator_counter,
            business_originator_id=header.business_originator_id,
            business_target_id=header.business_target_id,
            message_code=header.message_code,
            number=number,
            last=number == len(parts),
            window=rules.window,
            data=part,
        )
        for number, part in enumerate(parts, start=1)
    )


@dataclass(slots=True)
class _Outgoing:
    blocks: tuple[Block, ...]
    deadline: float
    attempts_left: int
    acknowledged: int = 0

    def window(self, rules: BlockRules) -> list[bytes]:
        """The octets of the next window, its last block without the streaming bit."""
        chosen = self.blocks[self.acknowledged : self.acknowledged + rules.window]
        return [replace(block, streaming=block is not chosen[-1]).encode() for block in chosen]


@dataclass(slots=True)
class _Incoming:
    parts: dict[int, bytes]
    octets: int
    deadline: float
    last: int | None = None
    contiguous: int = 0
    """The highest number up to which nothing is missing."""

    def keep(self, block: Block) -> None:
        self.parts[block.number] = block.data
        self.octets += len(block.data)
        if block.last:
            self.last = block.number
        # Never counted from the start again: a message may come in tens of thousands of blocks.
        while self.contiguous + 1 in self.parts:
            self.contiguous += 1


@dataclass(frozen=True, slots=True)
class _Finished:
    """A message that was put together. Its blocks may come again for a while; later they are those of another
    message of the same name, the answer to a repeated read for instance."""

    blocks: int
    forgotten_at: float


@dataclass(frozen=True, slots=True)
class Received:
    """What came of one transfer of octets: at most one whole message, and octets to send back to the peer."""

    message: bytes | None = None
    replies: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Expired:
    """What came of time passing: octets to send again, and the keys of transfers that were given up."""

    resend: tuple[bytes, ...] = ()
    abandoned: tuple[tuple[int, int, Eui64, Eui64], ...] = ()


class BlockTransfer:
    """Segments what leaves, reassembles what arrives: the block transfer of one actor.

    A block whose number is taken already, that belongs to a finished message or that would exceed the
    bounds is not kept. Blocks may come in any order.
    """

    def __init__(self, rules: BlockRules | None = None) -> None:
        self.rules = rules or BlockRules()
        self._outgoing: OrderedDict[_Key, _Outgoing] = OrderedDict()
        self._incoming: OrderedDict[_Key, _Incoming] = OrderedDict()
        self._finished: OrderedDict[_Key, _Finished] = OrderedDict()

    def send(self, message: bytes, now: float) -> tuple[bytes, ...]:
        """The transfers to make now for `message`: itself when it is short enough, else its first window."""
        if len(message) <= self.rules.block_octets:
            return (message,)
        outgoing = _Outgoing(
            segment(message, self.rules), now + self.rules.resend_after_s, self.rules.attempts
        )
        self._outgoing[_key(outgoing.blocks[0])] = outgoing
        return tuple(outgoing.window(self.rules))

    def is_sending(self, message: bytes) -> bool:
        """Whether blocks of `message` are under way: not all are acknowledged, and it was not given up."""
        if len(message) <= self.rules.block_octets or not self._outgoing:
            return False
        header = decode_message(message)
        parties = header.business_originator_id, header.business_target_id
        return (header.cra, header.originator_counter, *parties) in self._outgoing

    def receive(self, data: bytes, now: float) -> Received:
        """Take one transfer from the peer. Raises GbcsDecodeError when it is a block that cannot be read."""
        if not is_block(data):
            return Received(message=data)
        block = decode_block(data)
        if not block.data:
            return Received(replies=self._acknowledged(block, now))
        return self._collect(block, now)

    def next_deadline(self) -> float | None:
        """When `expire` has something to do, None when nothing is under way."""
        if not self._outgoing and not self._incoming:
            return None
        times = [entry.deadline for entry in self._outgoing.values()]
        times += [entry.deadline for entry in self._incoming.values()]
        return min(times, default=None)

    def expire(self, now: float) -> Expired:
        """Resend what was not acknowledged in time; give up what was tried often enough or never
        completed."""
        resend: list[bytes] = []
        abandoned: list[_Key] = []
        for key, outgoing in list(self._outgoing.items()):
            if outgoing.deadline > now:
                continue
            outgoing.attempts_left -= 1
            if outgoing.attempts_left <= 0:
                del self._outgoing[key]
                abandoned.append(key)
            else:
                outgoing.deadline = now + self.rules.resend_after_s
                resend += outgoing.window(self.rules)
        for key, incoming in list(self._incoming.items()):
            if incoming.deadline <= now:
                del self._incoming[key]
                abandoned.append(key)
        return Expired(tuple(resend), tuple(abandoned))

    def _acknowledged(self, block: Block, now: float) -> tuple[bytes, ...]:
        outgoing = self._outgoing.get(_reply_key(block))
        if outgoing is None or block.acknowledged > len(outgoing.blocks):
            return ()
        if block.acknowledged > outgoing.acknowledged:
            outgoing.attempts_left = self.rules.attempts
        outgoing.acknowledged = block.acknowledged
        outgoing.deadline = now + self.rules.resend_after_s
        if outgoing.acknowledged == len(outgoing.blocks):
            del self._outgoing[_reply_key(block)]
            return ()
        return tuple(outgoing.window(self.rules))

    def _collect(self, block: Block, now: float) -> Received:
        key = _key(block)
        finished = self._finished.get(key)
        if finished is not None and now < finished.forgotten_at:
            reply = () if block.streaming else (self._acknowledgement(block, finished.blocks),)
            return Received(replies=reply)
        incoming = self._incoming.get(key)
        if incoming is None:
            if len(self._incoming) >= self.rules.concurrent:
                self._incoming.popitem(last=False)
            incoming = self._incoming[key] = _Incoming({}, 0, now + self.rules.reassembly_limit_s)
        beyond = incoming.last is not None and block.number > incoming.last
        too_long = incoming.octets + len(block.data) > MAX_MESSAGE_BYTES
        if block.number > 0 and block.number not in incoming.parts and not beyond and not too_long:
            incoming.keep(block)
        contiguous = incoming.contiguous
        replies = () if block.streaming else (self._acknowledgement(block, contiguous),)
        if incoming.last is None or contiguous < incoming.last:
            return Received(replies=replies)
        del self._incoming[key]
        self._finished[key] = _Finished(contiguous, now + self.rules.reassembly_limit_s)
        if len(self._finished) > self.rules.concurrent:
            self._finished.popitem(last=False)
        message = b"".join(incoming.parts[number] for number in range(1, contiguous + 1))
        return Received(message=message, replies=replies)

    def _acknowledgement(self, block: Block, contiguous: int) -> bytes:
        return Block(
            cra=block.cra,
            originator_counter=block.originator_counter,
            business_originator_id=block.business_target_id,
            business_target_id=block.business_originator_id,
            message_code=block.message_code,
            number=1,
            acknowledged=contiguous,
            last=True,
            window=self.rules.window,
        ).encode()


def routing(data: bytes) -> tuple[Eui64, Eui64]:
    """Business originator and target of a message or block, for those who only pass it on.

    Raises GbcsDecodeError when neither can be read.
    """
    if is_block(data):
        block = decode_block(data)
        return block.business_originator_id, block.business_target_id
    if data[:1] and data[0] not in {GENERAL_CIPHERING, 0xDF}:
        raise GbcsDecodeError(
            "unknown first byte",
            offset=0,
            path="message",
            expected="DD or DF",
            found=f"{data[0]:02X}",
            spec=_SPEC,
        )
    message = decode_message(data)
    return message.business_originator_id, message.business_target_id
