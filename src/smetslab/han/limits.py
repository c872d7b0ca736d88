"""Numbers of the HAN that specifications fix, each with its place."""

from __future__ import annotations

from typing import Final

SMART_ENERGY_PROFILE: Final = 0x0109
"""Spec: ZSE 1.4 (profile identifier)."""

APS_ACKNOWLEDGEMENT_TIMEOUT_S: Final = 1.6
"""How long a sender waits for an APS acknowledgement. Spec: ZigBee 2.2.7.1 (apscAckWaitDuration)."""

APS_MAX_RETRIES: Final = 3
"""How often an unacknowledged frame is sent again. Spec: ZigBee 2.2.7.1 (apscMaxFrameRetries)."""

TUNNEL_MAX_TRANSFER_OCTETS: Final = 1500
"""Maximum incoming transfer size both ends announce. Spec: GBCS 10.2.2."""

TUNNEL_CLOSE_TIMEOUT_S: Final = 0xFFFF
"""CloseTunnelTimeout of the server. Spec: GBCS 10.2.2."""

TUNNEL_RENEWAL_S: Final = 0xFFFF
"""Age of the last Request Tunnel Response at which the client asks again. Spec: GBCS 10.2.2."""

TUNNEL_BUSY_RETRY_S: Final = 180
"""How long a client waits after the status BUSY. Spec: GBCS 10.2.2."""
