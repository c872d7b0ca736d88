"""The services that the DCC does itself: one declared row each, its refusals and what it does; one engine.

Which service specific code belongs to which refusal is not published: the rows say so, and the codes are
choices by their numbers.
"""

from smetslab.dcc.desk.engine import SERVICES, ServiceDesk
from smetslab.dcc.desk.model import Call, Office, Rule, Service

__all__ = ["SERVICES", "Call", "Office", "Rule", "Service", "ServiceDesk"]
