"""Roles and elements that several variants share."""

from __future__ import annotations

from smetslab.duis.codes import UserRole
from smetslab.duis.srv import shapes
from smetslab.duis.srv.model import EXECUTION_DATE_TIME
from smetslab.duis.srv.rules import Same
from smetslab.duis.srv.shapes import Child, Sequence, optional

IMPORT_SUPPLIER = UserRole.IMPORT_SUPPLIER
EXPORT_SUPPLIER = UserRole.EXPORT_SUPPLIER
GAS_SUPPLIER = UserRole.GAS_SUPPLIER
SUPPLIER_AGENT = UserRole.REGISTERED_SUPPLIER_AGENT
DISTRIBUTOR = UserRole.ELECTRICITY_DISTRIBUTOR
TRANSPORTER = UserRole.GAS_TRANSPORTER
OTHER_USER = UserRole.OTHER_USER

SUPPLIERS = (IMPORT_SUPPLIER, GAS_SUPPLIER)

EXECUTION = optional(EXECUTION_DATE_TIME, shapes.DATE_TIME)
"""Spec: DUIS schema 5.4, type FutureDatedAbstractType."""

KEY_AGREEMENT_CREDENTIALS = "KAPublicSecurityCredentials"
"""The certificate to which a device encrypts for a party that it does not know."""

READ_LOG_PERIOD = Child(
    "ReadLogPeriod",
    Sequence(Child("StartDateTime", shapes.DATE_TIME), Child("EndDateTime", shapes.DATE_TIME)),
)

READ_LOG_PERIOD_RULES = (
    Same("ReadLogPeriod.StartDateTime", "read_log_period.start_date_time"),
    Same("ReadLogPeriod.EndDateTime", "read_log_period.end_date_time"),
)

CREDENTIALS = optional(KEY_AGREEMENT_CREDENTIALS, shapes.CERTIFICATE)
