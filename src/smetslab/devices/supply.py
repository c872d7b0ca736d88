"""The load switch of an ESME: three states, a table, and the causes that keep it open.

Supply comes back only when every cause is gone, and from Disabled to Enabled only by an act of the consumer,
of a PPMID or of the supplier, or at the end of a load limit restoration period.

Spec: SMETS 5.5, 5.6.3.7, 5.6.3.11, 5.6.3.12; GBCS use cases ECS42 to ECS45.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, Flag, IntEnum

from smetslab.devices import events
from smetslab.devices.work import Work
from smetslab.gbcs.usecases.supply import SCRIPT_ARM, SCRIPT_CLOSE, SCRIPT_OPEN
from smetslab.store import Nvm

_KEY = "supply"


class SupplyState(IntEnum):
    """control_state of class 70."""

    DISABLED = 0
    ENABLED = 1
    ARMED = 2


class Cause(Flag):
    """Why there is no supply."""

    NONE = 0
    CREDIT = 1
    LOAD_LIMIT = 2
    TAMPER = 4
    REMOTE = 8


_ALL_CAUSES = 15


class SupplyEvent(Enum):
    """What can happen to the load switch."""

    REMOTE_ENABLE = "remote enable"
    REMOTE_DISABLE = "remote disable"
    REMOTE_ARM = "remote arm"
    CONSUMER_ENABLE = "consumer enable"
    PPMID_ENABLE = "PPMID enable"
    CREDIT_GONE = "credit gone"
    CREDIT_BACK = "credit back"
    EMERGENCY_CREDIT_BACK = "credit back by emergency credit"
    LOAD_LIMIT_EXCEEDED = "load limit exceeded"
    LOAD_LIMIT_RESTORED = "load limit restoration period over"
    TAMPERED = "tamper, supply tamper state Locked"


class SwitchFault(Enum):
    """What is broken about the switch."""

    NONE = "none"
    CONNECT = "connect"
    DISCONNECT = "disconnect"


SCRIPTS = {
    SCRIPT_CLOSE: SupplyEvent.REMOTE_ENABLE,
    SCRIPT_OPEN: SupplyEvent.REMOTE_DISABLE,
    SCRIPT_ARM: SupplyEvent.REMOTE_ARM,
}
"""Scripts of the disconnect script table 0-0:10.0.106.255."""

_D, _E, _A = SupplyState.DISABLED, SupplyState.ENABLED, SupplyState.ARMED
_EVENT = SupplyEvent

TABLE: dict[tuple[SupplyState, SupplyEvent], tuple[SupplyState, tuple[int, ...]]] = {
    (_D, _EVENT.REMOTE_ENABLE): (_E, ()),
    (_D, _EVENT.REMOTE_DISABLE): (_D, ()),
    (_D, _EVENT.REMOTE_ARM): (_A, (events.SUPPLY_ARMED,)),
    (_D, _EVENT.CONSUMER_ENABLE): (_D, (events.USER_COMMAND_FAILED,)),
    (_D, _EVENT.PPMID_ENABLE): (_D, (events.HAN_COMMAND_FAILED,)),
    (_D, _EVENT.CREDIT_GONE): (_D, ()),
    (_D, _EVENT.CREDIT_BACK): (_A, (events.SUPPLY_ARMED,)),
    (_D, _EVENT.EMERGENCY_CREDIT_BACK): (_A, (events.ARMED_BY_EMERGENCY_CREDIT,)),
    (_D, _EVENT.LOAD_LIMIT_EXCEEDED): (_D, ()),
    (_D, _EVENT.LOAD_LIMIT_RESTORED): (_D, ()),
    (_D, _EVENT.TAMPERED): (_D, (events.LOCKED_BY_TAMPER,)),
    (_A, _EVENT.REMOTE_ENABLE): (_E, ()),
    (_A, _EVENT.REMOTE_DISABLE): (_D, ()),
    (_A, _EVENT.REMOTE_ARM): (_A, ()),
    (_A, _EVENT.CONSUMER_ENABLE): (_E, (events.USER_COMMAND_DONE,)),
    (_A, _EVENT.PPMID_ENABLE): (_E, (events.HAN_COMMAND_DONE,)),
    (_A, _EVENT.CREDIT_GONE): (_D, ()),
    (_A, _EVENT.CREDIT_BACK): (_A, ()),
    (_A, _EVENT.EMERGENCY_CREDIT_BACK): (_A, ()),
    (_A, _EVENT.LOAD_LIMIT_EXCEEDED): (_A, ()),
    (_A, _EVENT.LOAD_LIMIT_RESTORED): (_E, (events.ENABLED_AFTER_RESTORATION,)),
    (_A, _EVENT.TAMPERED): (_D, (events.LOCKED_BY_TAMPER,)),
    (_E, _EVENT.REMOTE_ENABLE): (_E, ()),
    (_E, _EVENT.REMOTE_DISABLE): (_D, ()),
    # To arm a supply that is on would cut it off: the published response to it is a success, from this very
    # state.
    (_E, _EVENT.REMOTE_ARM): (_E, ()),
    (_E, _EVENT.CONSUMER_ENABLE): (_E, ()),
    (_E, _EVENT.PPMID_ENABLE): (_E, (events.HAN_COMMAND_DONE,)),
    (_E, _EVENT.CREDIT_GONE): (_D, ()),
    (_E, _EVENT.CREDIT_BACK): (_E, ()),
    (_E, _EVENT.EMERGENCY_CREDIT_BACK): (_E, ()),
    (_E, _EVENT.LOAD_LIMIT_EXCEEDED): (_A, (events.ARMED_BY_LOAD_LIMIT,)),
    (_E, _EVENT.LOAD_LIMIT_RESTORED): (_E, ()),
    (_E, _EVENT.TAMPERED): (_D, (events.LOCKED_BY_TAMPER,)),
}
"""(state, event) -> (state, event codes)."""

_ADDS = {
    _EVENT.REMOTE_DISABLE: Cause.REMOTE,
    _EVENT.CREDIT_GONE: Cause.CREDIT,
    _EVENT.LOAD_LIMIT_EXCEEDED: Cause.LOAD_LIMIT,
    _EVENT.TAMPERED: Cause.TAMPER,
}
_REMOTE_ACTS = (_EVENT.REMOTE_ENABLE, _EVENT.REMOTE_ARM)
_RETURNS = (_EVENT.CREDIT_BACK, _EVENT.EMERGENCY_CREDIT_BACK)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an event: its codes, and whether the supplier's act was refused for want of credit."""

    codes: tuple[int, ...] = ()
    refused: bool = False


class Supply:
    """The load switch of one meter."""

    def __init__(self, nvm: Nvm, state: SupplyState) -> None:
        """`state` is that of a new meter; memory overrules it."""
        kept = nvm.get(_KEY)
        self.state, self.causes = state, Cause.REMOTE if state is _D else Cause.NONE
        self.damaged = False
        """Whether memory held nothing that can be read: the supply is disabled then."""
        if kept is not None:
            self.damaged = len(kept) != 2 or kept[0] > max(SupplyState) or kept[1] > _ALL_CAUSES
            self.state, self.causes = (
                (_D, Cause.REMOTE) if self.damaged else (SupplyState(kept[0]), Cause(kept[1]))
            )
        self.fault = SwitchFault.NONE

    @property
    def closed(self) -> bool:
        """Whether energy can flow."""
        return self.state is SupplyState.ENABLED

    @property
    def locked(self) -> bool:
        """Whether tampering locks it; the supplier alone opens that lock."""
        return Cause.TAMPER in self.causes

    def handle(self, work: Work, event: SupplyEvent) -> Outcome:
        """Follow the table; returns the event codes to raise."""
        causes = self.causes | _ADDS.get(event, Cause.NONE)
        if event in _REMOTE_ACTS:
            if Cause.CREDIT in causes:
                return Outcome(refused=True)
            causes = Cause.NONE
        if event in _RETURNS:
            causes &= ~Cause.CREDIT
        state, codes = TABLE[self.state, event]
        if event in _RETURNS and state is _A and causes & ~Cause.LOAD_LIMIT:
            state, codes = self.state, ()
        if event is _EVENT.LOAD_LIMIT_RESTORED and Cause.LOAD_LIMIT not in causes:
            return Outcome()
        if state is _E:
            causes = Cause.NONE
        broken = self._broken(state)
        if broken is not None:
            return Outcome((broken,))
        if (state, causes) != (self.state, self.causes):
            changed = state is not self.state
            self.state, self.causes = state, causes
            self.keep(work)
            if changed:
                work.note("StateChanged", what="supply", value=state.name.capitalize())
        return Outcome(codes)

    def keep(self, work: Work) -> None:
        """Remember what it is, also where memory held nothing that can be read."""
        work.tx.put(_KEY, bytes((self.state, self.causes.value)))

    def _broken(self, state: SupplyState) -> int | None:
        """The event of a switch that does not follow."""
        if self.fault is SwitchFault.CONNECT and state is _E and not self.closed:
            return events.SUPPLY_CONNECT_FAILED
        if self.fault is SwitchFault.DISCONNECT and state is not _E and self.closed:
            return events.SUPPLY_DISCONNECT_FAILED
        return None
