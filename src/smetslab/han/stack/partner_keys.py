"""Link keys of a device with others than the hub: asked of the trust centre, and waited for.

Spec: ZigBee 4.4.6 (request key), 4.4.3.3 (transport key); ZSE 1.4 5.4.7.4
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from smetslab.clock import timeout
from smetslab.errors import HanError
from smetslab.han.stack.network import COORDINATOR_ADDRESS
from smetslab.ids import Eui64
from smetslab.zigbee.aps import REQUEST_KEY
from smetslab.zigbee.security import KeyIdentifier
from smetslab.zigbee.zcl.fields import Record

if TYPE_CHECKING:
    from smetslab.han.stack.node import RadioNode

APPLICATION_KEY_REQUEST: Final = 2
"""Key type of a request for a link key with another device. Spec: ZigBee 4.4.9.5."""
PARTNER_KEY_TIMEOUT_S: Final = 10.0
"""How long such a key is waited for (unverified)."""


class PartnerKeys:
    """The requests of one device."""

    def __init__(self, node: RadioNode) -> None:
        self._node = node
        self._waiting: dict[Eui64, list[asyncio.Future[None]]] = {}

    def came(self, record: Record, key: KeyIdentifier | None) -> None:
        """A link key with another device, from the trust centre. Spec: ZigBee 4.4.3.3, 4.4.9.1."""
        descriptor = record["descriptor"]
        partner = descriptor["partner"] if isinstance(descriptor, Record) else None
        if key is KeyIdentifier.KEY_LOAD and isinstance(partner, Eui64):
            self._node.aps.link_keys[partner] = record.octets("key")
            self._node.aps.forget_counters(partner)
            for waiting in self._waiting.pop(partner, ()):
                if not waiting.done():
                    waiting.set_result(None)

    async def ask_for(self, partner: Eui64) -> None:
        """Have a link key with another device: ask the trust centre for one. Raises HanError without an
        answer.

        Spec: ZigBee 4.4.6 (request key); ZSE 1.4 5.4.7.4
        """
        hub = self._node.network.addresses.eui64(COORDINATOR_ADDRESS)
        link_key = None if hub is None else self._node.aps.link_keys.get(hub)
        if link_key is None:
            raise HanError(
                f"no link key with {partner}, and none with the hub to ask for it", transient=False
            )
        came: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(partner, []).append(came)
        self._node.aps.command(
            REQUEST_KEY,
            COORDINATOR_ADDRESS,
            protection=KeyIdentifier.DATA,
            link_key=link_key,
            key_type=APPLICATION_KEY_REQUEST,
            partner=partner,
        )
        if self._node.sleeper is not None:
            self._node.sleeper.stay_awake()
        try:
            async with timeout(self._node.home.clock, PARTNER_KEY_TIMEOUT_S):
                await came
        except TimeoutError as error:
            raise HanError(f"the hub gives no link key with {partner}") from error
