"""The valve of a gas meter: three states, the causes that hold it closed, and the check of the flow.

A remote party can close the valve or arm it; only somebody at the meter can open it, and then the meter looks
whether gas runs away: an armed valve opens, the flow is measured, and too much of it closes the valve again.

Spec: SMETS 4.5.3, 4.6.4.25, 4.6.4.33 (uncontrolled gas flow rate); GBCS use cases GCS32, GCS39.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum, StrEnum
from typing import Final

from smetslab.devices import events
from smetslab.devices.supply import SwitchFault
from smetslab.devices.work import Work
from smetslab.store import Nvm

_KEY = "valve"


class ValveState(IntEnum):
    """As the supply status attribute has it. Spec: ZSE 1.4 D.3.2.2.1.5."""

    DISABLED = 0
    ARMED = 1
    ENABLED = 2


class Cause(StrEnum):
    """Why a valve is closed. It can be armed only when none is left but those that arming takes away."""

    REMOTE = "remote"
    CREDIT = "credit"
    TAMPER = "tamper"
    DEPLETION = "depletion"


class ValveEvent(Enum):
    """What can happen to a valve."""

    REMOTE_CLOSE = "remote close"
    REMOTE_ARM = "remote arm"
    CREDIT_GONE = "credit gone"
    CREDIT_BACK = "credit back"
    TAMPER = "tamper"
    DEPLETION = "depletion"
    LOCAL_OPEN = "local open"
    FLOW_IS_FINE = "flow is fine"
    UNCONTROLLED_FLOW = "uncontrolled flow"


@dataclass(frozen=True, slots=True)
class Row:
    """What follows: the next state (None: the same), event codes, causes that are added and taken away."""

    state: ValveState | None = None
    codes: tuple[int, ...] = ()
    add: tuple[Cause, ...] = ()
    remove: tuple[Cause, ...] = ()


_D, _A, _E = ValveState.DISABLED, ValveState.ARMED, ValveState.ENABLED
_UNLOCKED = (Cause.REMOTE, Cause.TAMPER, Cause.DEPLETION)
"""What a supplier who arms the valve takes away: credit it cannot give."""

TABLE: Final[dict[tuple[ValveState, ValveEvent], Row]] = {
    **{
        (state, ValveEvent.REMOTE_CLOSE): Row(_D, add=(Cause.REMOTE,), remove=(Cause.TAMPER, Cause.DEPLETION))
        for state in ValveState
    },
    (_D, ValveEvent.REMOTE_ARM): Row(_A, (events.SUPPLY_ARMED,), remove=_UNLOCKED),
    (_A, ValveEvent.REMOTE_ARM): Row(),
    # Change Supply says which state is wanted, off and armed: an open valve closes. Spec: ZSE 1.4 D.3.3.3.
    (_E, ValveEvent.REMOTE_ARM): Row(_A, (events.SUPPLY_ARMED,)),
    (_D, ValveEvent.CREDIT_GONE): Row(add=(Cause.CREDIT,)),
    (_A, ValveEvent.CREDIT_GONE): Row(_D, add=(Cause.CREDIT,)),
    (_E, ValveEvent.CREDIT_GONE): Row(_D, add=(Cause.CREDIT,)),
    (_D, ValveEvent.CREDIT_BACK): Row(_A, (events.SUPPLY_ARMED,), remove=(Cause.CREDIT,)),
    (_A, ValveEvent.CREDIT_BACK): Row(remove=(Cause.CREDIT,)),
    (_E, ValveEvent.CREDIT_BACK): Row(remove=(Cause.CREDIT,)),
    (_D, ValveEvent.TAMPER): Row(add=(Cause.TAMPER,)),
    (_A, ValveEvent.TAMPER): Row(_D, (events.LOCKED_BY_TAMPER,), add=(Cause.TAMPER,)),
    (_E, ValveEvent.TAMPER): Row(_D, (events.LOCKED_BY_TAMPER,), add=(Cause.TAMPER,)),
    **{(state, ValveEvent.DEPLETION): Row(_D, add=(Cause.DEPLETION,)) for state in ValveState},
    (_D, ValveEvent.LOCAL_OPEN): Row(codes=(events.USER_COMMAND_FAILED,)),
    (_A, ValveEvent.LOCAL_OPEN): Row(),
    (_E, ValveEvent.LOCAL_OPEN): Row(),
    (_A, ValveEvent.FLOW_IS_FINE): Row(_E, (events.USER_COMMAND_DONE,)),
    (_A, ValveEvent.UNCONTROLLED_FLOW): Row(codes=(events.ARMED_BY_GAS_FLOW, events.USER_COMMAND_FAILED)),
}
"""(state, event) -> what follows. A pair that is not listed changes nothing."""


class Valve:
    """The valve of one meter."""

    def __init__(self, nvm: Nvm, state: ValveState) -> None:
        """`state` is that of a new meter; memory overrules it."""
        kept = nvm.get(_KEY)
        self.state = state
        self._causes: tuple[Cause, ...] = ()
        if kept is not None:
            self.state = ValveState(kept[0])
            self._causes = tuple(Cause(name) for name in kept[1:].decode("ascii").split(",") if name)
        self.fault = SwitchFault.NONE

    @property
    def open(self) -> bool:
        """Whether gas can flow."""
        return self.state is ValveState.ENABLED

    @property
    def causes(self) -> tuple[Cause, ...]:
        """What holds the valve closed."""
        return self._causes

    def can_arm(self) -> bool:
        """Whether a remote party may arm it: what credit has closed only credit arms again."""
        return Cause.CREDIT not in self._causes

    def handle(self, work: Work, event: ValveEvent) -> tuple[int, ...]:
        """Follow the table; returns the event codes to raise."""
        row = TABLE.get((self.state, event))
        if row is None:
            return ()
        kept = [cause for cause in self._causes if cause not in row.remove]
        causes = (*kept, *(cause for cause in row.add if cause not in kept))
        state, codes = row.state, row.codes
        if event is ValveEvent.CREDIT_BACK and causes:
            state, codes = None, ()  # something else still holds the valve closed
        state = self.state if state is None else state
        moves = _E in {state, self.state} and state is not self.state
        if moves and self.fault is (SwitchFault.CONNECT if state is _E else SwitchFault.DISCONNECT):
            failed = events.SUPPLY_CONNECT_FAILED if state is _E else events.SUPPLY_DISCONNECT_FAILED
            state, codes = self.state, (failed,)
        if (state, causes) != (self.state, self._causes):
            moved = state is not self.state
            self.state, self._causes = state, causes
            work.tx.put(_KEY, bytes((state,)) + ",".join(causes).encode("ascii"))
            if moved:
                work.note("StateChanged", what="supply", value=state.name.capitalize())
        return codes


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowCheck:
    """An armed valve was opened by somebody: what flows until `ends_us` decides. Volatile: a power cut ends
    it, and the valve is armed as before."""

    begins_us: int
    """Microseconds since 2000 when the flow has settled and the measurement begins."""
    ends_us: int
    limit_ml_per_hour: int

    @classmethod
    def begin(
        cls, now_us: int, *, stabilisation_ds: int, measurement_s: int, limit_ml_per_hour: int
    ) -> FlowCheck:
        """`stabilisation_ds` in tenths of a second, as the attribute has it."""
        begins = now_us + stabilisation_ds * 100_000
        return cls(
            begins_us=begins,
            ends_us=begins + measurement_s * 1_000_000,
            limit_ml_per_hour=limit_ml_per_hour,
        )

    def passes(self, flow_ml_per_hour: int) -> bool:
        """Whether a steady flow is small enough."""
        return flow_ml_per_hour <= self.limit_ml_per_hour
