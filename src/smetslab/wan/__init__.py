"""The WAN: GBCS messages and firmware images between the DCC and the Communications Hubs, at least once,
each with an identity.

Whoever stands on `Wan` cannot tell whether it is in process or a broker. It carries octets and does not
look into them; buffering alerts while it is down is the hub's work.
"""

from smetslab.wan.image import HubFirmwareReport, ImageDelivery
from smetslab.wan.inproc import InProcessWan
from smetslab.wan.service import Kind, Receive, Seen, Wan, WanMessage

__all__ = [
    "HubFirmwareReport",
    "ImageDelivery",
    "InProcessWan",
    "Kind",
    "Receive",
    "Seen",
    "Wan",
    "WanMessage",
]
