"""The load switch of an ESME: three states and a table.

Spec: SMETS 5.5, 5.6.3.7; GBCS use cases ECS42 to ECS45.
"""

from __future__ import annotations

from enum import Enum, IntEnum

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


class SupplyEvent(Enum):
    """What can happen to the load switch."""

    REMOTE_ENABLE = "remote enable"
    REMOTE_DISABLE = "remote disable"
    REMOTE_ARM = "remote arm"
    CONSUMER_ENABLE = "consumer enable"


SCRIPTS = {
    SCRIPT_CLOSE: SupplyEvent.REMOTE_ENABLE,
    SCRIPT_OPEN: SupplyEvent.REMOTE_DISABLE,
    SCRIPT_ARM: SupplyEvent.REMOTE_ARM,
}
"""Scripts of the disconnect script table 0-0:10.0.106.255."""

_D, _E, _A = SupplyState.DISABLED, SupplyState.ENABLED, SupplyState.ARMED

TABLE: dict[tuple[SupplyState, SupplyEvent], tuple[SupplyState, tuple[int, ...]]] = {
    (_D, SupplyEvent.REMOTE_ENABLE): (_E, ()),
    (_D, SupplyEvent.REMOTE_DISABLE): (_D, ()),
    (_D, SupplyEvent.REMOTE_ARM): (_A, (events.SUPPLY_ARMED,)),
    (_D, SupplyEvent.CONSUMER_ENABLE): (_D, (events.USER_COMMAND_FAILED,)),
    (_A, SupplyEvent.REMOTE_ENABLE): (_E, ()),
    (_A, SupplyEvent.REMOTE_DISABLE): (_D, ()),
    (_A, SupplyEvent.REMOTE_ARM): (_A, ()),
    (_A, SupplyEvent.CONSUMER_ENABLE): (_E, (events.USER_COMMAND_DONE,)),
    (_E, SupplyEvent.REMOTE_ENABLE): (_E, ()),
    (_E, SupplyEvent.REMOTE_DISABLE): (_D, ()),
    # To arm a supply that is on would cut it off: the published response to it is a success, from this very
    # state.
    (_E, SupplyEvent.REMOTE_ARM): (_E, ()),
    (_E, SupplyEvent.CONSUMER_ENABLE): (_E, ()),
}
"""(state, event) -> (state, event codes)."""


class Supply:
    """The load switch of one meter."""

    def __init__(self, nvm: Nvm, state: SupplyState) -> None:
        """`state` is that of a new meter; memory overrules it."""
        kept = nvm.get(_KEY)
        self.state = state if kept is None else SupplyState(kept[0])

    @property
    def closed(self) -> bool:
        """Whether energy can flow."""
        return self.state is SupplyState.ENABLED

    def handle(self, work: Work, event: SupplyEvent) -> tuple[int, ...]:
        """Follow the table; returns the event codes to raise."""
        state, codes = TABLE[self.state, event]
        if state is not self.state:
            self.state = state
            work.tx.put(_KEY, bytes((state,)))
            work.note("StateChanged", what="supply", value=state.name.capitalize())
        return codes
