"""What both ends of a tunnel go by, and what their state machines ask of the shell around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from smetslab.han.limits import (
    TUNNEL_BUSY_RETRY_S,
    TUNNEL_CLOSE_TIMEOUT_S,
    TUNNEL_MAX_TRANSFER_OCTETS,
    TUNNEL_RENEWAL_S,
)
from smetslab.ids import Eui64
from smetslab.trace import Detail
from smetslab.zigbee.zcl import ZclFrame
from smetslab.zigbee.zcl.clusters.tunnelling import GB_HRGP, NO_MANUFACTURER


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelRules:
    """Timers and sizes of tunnels. The upper part is stated, the lower part unverified and for a lab to
    choose.

    Spec: GBCS 10.2.2
    """

    protocol_id: int = GB_HRGP
    manufacturer_code: int = NO_MANUFACTURER
    max_transfer_octets: int = TUNNEL_MAX_TRANSFER_OCTETS
    """Longest message either end takes in one transfer. A longer one needs block transfer (GBCS 7.2.11)."""
    busy_retry_s: float = TUNNEL_BUSY_RETRY_S
    renewal_s: float = TUNNEL_RENEWAL_S
    close_timeout_s: int = TUNNEL_CLOSE_TIMEOUT_S

    response_timeout_s: float = 10.0
    """How long a client waits for an answer of the server, and connects an error with what it has sent."""
    unreachable_retry_s: float = 180.0
    """When a client asks a device again that did not acknowledge or answer."""
    give_up_s: float = 600.0
    """How long a message waits for a tunnel before its sender is told that it cannot be delivered."""
    server_max_tunnels: int = 2
    """How many tunnels a server keeps before it answers NO_MORE_TUNNEL_IDS."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send a frame to the peer. With a token the outcome is the outcome of that message."""

    peer: Eui64
    endpoint: int | None
    """Where to; None for the endpoint on which discovery finds the server of the cluster."""
    frame: ZclFrame
    token: int | None = None


@dataclass(frozen=True, slots=True)
class Fail:
    """A message cannot be delivered."""

    peer: Eui64
    token: int
    data: bytes
    what: str
    transient: bool


@dataclass(frozen=True, slots=True)
class Deliver:
    """A message has come through a tunnel."""

    peer: Eui64
    data: bytes


@dataclass(frozen=True, slots=True)
class Keep:
    """What this end knows of its tunnels has changed: keep it before anything further is sent."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something for the trace."""

    peer: Eui64
    event: str
    detail: tuple[tuple[str, Detail], ...] = ()


@dataclass(frozen=True, slots=True)
class Opened:
    """A tunnel with the peer is open: messages can go."""

    peer: Eui64


Action: TypeAlias = Send | Fail | Deliver | Keep | Note | Opened
