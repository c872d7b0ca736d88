"""Tap-off: the proxy learns from commands to its meter that the meter has acknowledged.

The hub shows every message that passes. A command of the list is kept until its response has passed too: if
all of it succeeded, the proxy does the same to its mirror, now or when the command's time has come; otherwise
it raises an event. These messages are never encrypted, and the proxy cannot check their protection.

Spec: GBCS 10.3.4
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final, cast

from smetslab.devices import events
from smetslab.devices.work import Work
from smetslab.devices.zcl.engine import ZclEngine, read_items
from smetslab.devices.zcl.model import ComponentError
from smetslab.errors import GbcsDecodeError, SmetsLabError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.gbz.components import COMPONENTS, all_succeeded
from smetslab.gbcs.message import Message, decode_message
from smetslab.gbcs.usecases.engine import activation_of, decode_content
from smetslab.gbcs.usecases.gbz import GbzAccess
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import IMMEDIATE, NEVER, parse_utc, utc_text
from smetslab.ids import Eui64
from smetslab.store import Nvm

TAPPED: Final = {
    USE_CASES[name].code: name
    for name in ("CS11", "GCS01a", "GCS01b", "GCS05", "GCS07", "GCS23", "GCS25", "GCS25a", "GCS44")
}
"""Message codes whose commands are tapped off when they go to the meter. Spec: GBCS 10.3.4; GCS25a, which is
younger than that list, after GCS25 (unverified)."""

MOST_WAITING: Final = 16
"""Commands without a response that are remembered. Unverified."""
_WAITING, _DATED = "tap/waiting/", "tap/dated/"


class TapOff:
    """The tap-off of one proxy."""

    def __init__(self, nvm: Nvm, engine: ZclEngine, raise_event: Callable[[Work, int], None]) -> None:
        self._engine = engine
        self._raise_event = raise_event
        self._waiting: dict[str, bytes] = {
            key.removeprefix(_WAITING): octets for key, octets in nvm.items(_WAITING)
        }
        self._dated: dict[str, tuple[datetime, bytes]] = {}
        for key, octets in nvm.items(_DATED):
            moment = parse_utc(octets[:24].decode("ascii").strip())
            self._dated[key.removeprefix(_DATED)] = (moment, octets[24:])

    def command(self, work: Work, meter: Eui64, data: bytes) -> None:
        """A message passes on its way to the meter."""
        message = _tapped(data, Cra.COMMAND)
        if message is None or message.business_target_id != meter:
            return
        key = _key(message, message.business_originator_id)
        while len(self._waiting) >= MOST_WAITING and key not in self._waiting:
            self._forget(work, next(iter(self._waiting)))
        self._waiting[key] = data
        work.tx.put(_WAITING + key, data)

    def response(self, work: Work, meter: Eui64, data: bytes) -> None:
        """A message passes on its way from the meter."""
        message = _tapped(data, Cra.RESPONSE)
        if message is None or message.business_originator_id != meter:
            return
        kept = self._forget(work, _key(message, message.business_target_id))
        if kept is None:
            return
        try:
            if not _succeeded(message):
                return
            self._follow(work, decode_message(kept))
        except (GbcsDecodeError, ComponentError) as error:
            self._failed(work, error)

    def _follow(self, work: Work, command: Message) -> None:
        """Do what the meter has done, or keep it until its time. Spec: GBCS 9.2."""
        use_case = USE_CASES[TAPPED[command.message_code]]
        at = activation_of(use_case, decode_content(use_case, command))
        if at == NEVER:
            self._put_dated(work, use_case.name, None)
        elif at is None or at == IMMEDIATE:
            self._put_dated(work, use_case.name, None)
            self._apply(work, command)
        else:
            self._put_dated(work, use_case.name, (parse_utc(at), command.content))

    def _apply(self, work: Work, command: Message) -> None:
        use_case = USE_CASES[TAPPED[command.message_code]]
        access = cast("GbzAccess", use_case.payload)
        self._engine.take_at_once(work, read_items(access, command.content))
        work.note("TappedOff", use_case=use_case.name)

    def next_deadline(self) -> datetime | None:
        """When the time of a command comes, by the proxy's clock."""
        return min((moment for moment, _ in self._dated.values()), default=None)

    def tick(self, work: Work, time: datetime) -> None:
        """Do what the meter does now."""
        for name, (moment, content) in list(self._dated.items()):
            if moment > time:
                continue
            self._put_dated(work, name, None)
            access = cast("GbzAccess", USE_CASES[name].payload)
            try:
                self._engine.take_at_once(work, read_items(access, content))
                work.note("TappedOff", use_case=name)
            except (GbcsDecodeError, ComponentError) as error:
                self._failed(work, error)

    def _failed(self, work: Work, error: SmetsLabError) -> None:
        work.note("TapOffFailed", why=str(error))
        self._raise_event(work, events.TAP_OFF_FAILED)

    def _put_dated(self, work: Work, name: str, dated: tuple[datetime, bytes] | None) -> None:
        if dated is None:
            if self._dated.pop(name, None) is not None:
                work.tx.delete(_DATED + name)
            return
        self._dated[name] = dated
        work.tx.put(_DATED + name, utc_text(dated[0]).encode("ascii").ljust(24) + dated[1])

    def _forget(self, work: Work, key: str) -> bytes | None:
        data = self._waiting.pop(key, None)
        if data is not None:
            work.tx.delete(_WAITING + key)
        return data


def _tapped(data: bytes, cra: Cra) -> Message | None:
    """A message that is tapped off; None for any other, and for what is no message."""
    try:
        message = decode_message(data)
    except GbcsDecodeError:
        return None
    return message if message.cra is cra and message.message_code in TAPPED else None


def _key(message: Message, party: Eui64) -> str:
    return f"{message.message_code:04X}/{party}/{message.originator_counter}"


def _succeeded(response: Message) -> bool:
    """Whether every component of a response says so."""
    parameters = decode_content(USE_CASES[TAPPED[response.message_code]], response)
    return all_succeeded(parameters[COMPONENTS])
