"""A mock DCC: takes service requests, judges them, transforms them, sends the commands and answers.

It stands between service users, who speak DUIS, and hubs, who carry GBCS over the WAN. It holds no
device state: what it knows of devices is in `smetslab.registry`, and what a device answers passes
through unchanged. What it does itself is in `smetslab.dcc.desk`, its faces on sockets in
`smetslab.dcc.services`.
"""

from smetslab.dcc.acb import AccessControlBroker
from smetslab.dcc.limits import AnomalyLimits, Threshold
from smetslab.dcc.mock import MockDcc
from smetslab.dcc.outbox import Delivery
from smetslab.dcc.recovery import Contingency, Replacement
from smetslab.dcc.rules import DCC_IDENTITY, DccRules
from smetslab.dcc.service_user import ServiceResponse, ServiceUser

__all__ = [
    "DCC_IDENTITY",
    "AccessControlBroker",
    "AnomalyLimits",
    "Contingency",
    "DccRules",
    "Delivery",
    "MockDcc",
    "Replacement",
    "ServiceResponse",
    "ServiceUser",
    "Threshold",
]
