"""A mock DCC: takes service requests, judges them, transforms them, sends the commands and answers.

It stands between service users, who speak DUIS, and hubs, who carry GBCS over the WAN. It holds no
device state: what it knows of devices is in `smetslab.registry`, and what a device answers passes
through unchanged. Sequencing by PrecedingServiceRequestID and FirstInSequence is read and not acted on: no
published client uses it.
"""

from smetslab.dcc.acb import AccessControlBroker
from smetslab.dcc.mock import MockDcc
from smetslab.dcc.rules import DCC_IDENTITY, DccRules
from smetslab.dcc.service_user import ServiceResponse, ServiceUser

__all__ = ["DCC_IDENTITY", "AccessControlBroker", "DccRules", "MockDcc", "ServiceResponse", "ServiceUser"]
