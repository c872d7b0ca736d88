"""Alerts of the DCC itself: one declared shape for each kind, read and written like bodies of requests.

Throttle fields are never written: published clients refuse a document that has them. Which code belongs to
which kind is not published; the table of codes is a file of its own that users may replace.

Spec: DUIS schema 5.4, types DCCAlertMessage and DCCAlert.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from smetslab.duis.document import OtherBody, leaf, leaf_text, node
from smetslab.duis.element import Children, Element
from smetslab.duis.srv import shapes, simple
from smetslab.duis.srv.nondevice import DEVICE_TYPES, ESME_VARIANTS, MAX_SCHEDULE_ID
from smetslab.duis.srv.shapes import Child, OneOf, Sequence, many, optional
from smetslab.duis.srv.simple import Number, Octets, Shape, Text, Word
from smetslab.errors import DuisError
from smetslab.gbcs.values import Value

_EUI = simple.EUI
_REQUEST_ID = Text(1, 80)
_SCHEDULE_ID = Number(0, MAX_SCHEDULE_ID)
_DEVICE_TYPE = Word(DEVICE_TYPES)
_METER_POINTS = Sequence(
    Child("ImportMPxN", Text(1, 13)),
    optional("SecondaryImportMPAN", Text(13, 13)),
    optional("ExportMPAN", Text(13, 13)),
)
_BREACH = Sequence(Child("RequestID", _REQUEST_ID), Child("QuarantineEventRef", Number(0, 10**20 - 1)))
_CHANGES = OneOf(
    (
        Child(
            "MeterIdentity",
            Sequence(Child("MeterMPxNs", _METER_POINTS), optional("ESMEVariant", Word(ESME_VARIANTS))),
        ),
        Child(
            "MeterDecommissioningOrWithdrawal",
            Sequence(
                Child("MeterDecommissionOrWithdrawal", _METER_POINTS),
                many(
                    "AssociatedType1Device",
                    Sequence(Child("DeviceID", _EUI), Child("DeviceType", _DEVICE_TYPE)),
                    0,
                    7,
                ),
            ),
        ),
        Child("DeviceRemovedFromInventory", shapes.PRESENT),
        Child("CHFDecommissioning", shapes.PRESENT),
        Child("DeviceSuspended", shapes.PRESENT),
        Child("DeviceRestored", shapes.PRESENT),
        Child("RecoveryComplete", shapes.PRESENT),
    )
)
_LOGS = Sequence(
    Child("OldCHFDeviceID", _EUI),
    Child("NewCHFDeviceID", _EUI),
    Child("OldGPFDeviceID", _EUI),
    Child("NewGPFDeviceID", _EUI),
)
_CERTIFICATE_TYPES = Word(("DigitalSigning", "KeyAgreement", "KeyAgreementTopUp"))

DCC_ALERTS: Final[Mapping[str, Shape]] = MappingProxyType(
    {
        "PowerOutageEvent": Sequence(
            Child("CommsHubDeviceID", _EUI),
            Child("StartDateTime", simple.DATE_TIME),
            Child("MPxN", Text(1, 13)),
        ),
        "DeviceStatusChangeEvent": Sequence(
            Child("DeviceID", _EUI), Child("DeviceStatusChange", Sequence(_CHANGES))
        ),
        "DSPScheduleRemoval": Sequence(Child("DeviceID", _EUI), Child("DSPScheduleID", _SCHEDULE_ID)),
        "CommandFailure": Sequence(
            Child("CommandRequestID", _REQUEST_ID),
            optional("DSPScheduleID", _SCHEDULE_ID),
            Child("DeviceID", _EUI),
        ),
        "FirmwareDistributionFailure": Sequence(
            Child("UpdateFirmwareRequestID", _REQUEST_ID), Child("MeterIDs", Text(23, 1_199_999))
        ),
        "UpdateHANDeviceLogResult": Sequence(Child("UpdateHANDeviceLogServiceRequestID", _REQUEST_ID)),
        "ChangeOfSupplier": Sequence(
            OneOf(
                (
                    Child("ChangeOfSupplierServiceRequestID", _REQUEST_ID),
                    Child(
                        "DeviceChangeOfSupplier",
                        Sequence(
                            Child("DeviceID", _EUI),
                            Child("DeviceType", _DEVICE_TYPE),
                            Child("MPxNs", _METER_POINTS),
                        ),
                    ),
                )
            )
        ),
        "DeviceLogRestored": Sequence(
            Child("RestoredDate", simple.DATE),
            OneOf((Child("CHFDeviceLog", _LOGS), Child("GPFDeviceLog", _LOGS))),
        ),
        "SecurityCredentialsUpdated": Sequence(
            Child("DeviceID", _EUI),
            Child(
                "RemotePartyRole",
                Word(
                    ("ACB", "NetworkOperator", "Recovery", "Root", "Supplier", "TransCoS", "LoadController")
                ),
            ),
            many(
                "Certificates",
                Sequence(
                    Child("CertificateType", _CERTIFICATE_TYPES),
                    Child("CertificateHash", Octets("base64", 20, 20)),
                ),
                1,
                3,
            ),
        ),
        "QuarantinedRequest": Sequence(
            OneOf(
                (
                    Child("ADUserThresholdBreach", _BREACH),
                    Child("ADDCCThresholdBreach", _BREACH),
                    Child("ADAttributeLimitsBreach", _BREACH),
                )
            )
        ),
        "FirmwareVersionMismatch": Sequence(
            Child("DeviceID", _EUI),
            Child("DeviceType", _DEVICE_TYPE),
            Child("FirmwareVersionSMI", Text(1, 8)),
            Child("FirmwareVersionDevice", Text(1, 8)),
        ),
    }
)
"""Every kind of alert that this DCC raises, by its element."""

CODES_FILE: Final = "dcc_alert_codes.toml"


def default_codes() -> dict[str, str]:
    """The code of each kind, or of `kind.element` where one kind has several, from the file in this package.

    Unverified all of them.
    """
    return dict(tomllib.loads((files("smetslab.duis") / CODES_FILE).read_text(encoding="utf-8"))["codes"])


def code_for(kind: str, members: Mapping[str, Value], codes: Mapping[str, str]) -> str:
    """The alert code for an alert of `kind` with `members`; N999 where the table has none."""
    inner = members.get("DeviceStatusChange", members)
    names = inner if isinstance(inner, dict) else members
    exact = [codes[f"{kind}.{name}"] for name in names if f"{kind}.{name}" in codes]
    return exact[0] if exact else codes.get(kind, "N999")


def write_dcc_alert(kind: str, members: Mapping[str, Value], code: str) -> OtherBody:
    """The body of a DCC alert. Raises DuisError when members are missing, unknown or wrong."""
    shape = DCC_ALERTS.get(kind)
    if shape is None:
        raise DuisError("no such DCC alert", path="DCCAlert", found=kind)
    inner = shape.write(kind, dict(members), f"DCCAlert/{kind}")
    return OtherBody(node("DCCAlertMessage", leaf("DCCAlertCode", code), node("DCCAlert", inner)))


def read_dcc_alert(body: Element) -> tuple[str, str, Value]:
    """Code, kind and members of a DCCAlertMessage. Raises DuisError."""
    path = "Response/Body/DCCAlertMessage"
    parts = Children(body, path)
    code = leaf_text(parts.required("DCCAlertCode"), f"{path}/DCCAlertCode")
    parts.optional("ThrottledAlertSequenceId")
    parts.optional("ThrottledAlertCount")
    alert = Children(parts.required("DCCAlert"), f"{path}/DCCAlert")
    parts.finish()
    found = alert.required(*DCC_ALERTS)
    alert.finish()
    return code, found.name, DCC_ALERTS[found.name].read(found, f"{path}/DCCAlert/{found.name}")
