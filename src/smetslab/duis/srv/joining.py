"""Variants about which devices belong together. Spec: DUIS service references 8.7 to 8.12.

Spec: GBCS 13.7 (join), use cases CCS01 to CCS07, CS03A1 to CS07, GCS59.
"""

from __future__ import annotations

from typing import Final

from smetslab.duis.codes import FutureDating
from smetslab.duis.srv.common import EXECUTION, INSTALL_CODE, MPAN, OTHER_USER, SUPPLIERS
from smetslab.duis.srv.holes import At, Fact
from smetslab.duis.srv.model import (
    EXECUTION_DATE_TIME,
    Has,
    Is,
    Lacks,
    Originator,
    ServiceRequest,
    UseCaseMapping,
    body,
    mapping,
)
from smetslab.duis.srv.shapes import PRESENT, Child, Sequence, optional
from smetslab.duis.srv.simple import EUI, Number, Text, Word
from smetslab.duis.srv.template import Template
from smetslab.gbcs.codes import DeviceType

_OTHER_DEVICE = body(Child("OtherDeviceID", EUI))
_ELECTRICITY = (DeviceType.ESME,)
_GAS = (DeviceType.GSME,)


def _join(
    use_case: str,
    method: str,
    *,
    certificate: bool = False,
    devices: tuple[DeviceType, ...] = (),
    peers: tuple[DeviceType, ...] = (),
    originator: Originator = Originator.USER,
) -> UseCaseMapping:
    """`certificate`: that of the other device goes with the command, which only method C has."""
    template: dict[str, Template] = {
        "join_method_and_role": method,
        "other_device_entity_identifier": At("OtherDeviceID"),
        "other_device_type": Fact("peer_type"),
    }
    if certificate:
        template["other_device_certificate"] = Fact("peer_certificate", optional=True)
    return mapping(use_case, template, devices=devices, peers=peers, originator=originator)


def _unjoin(
    use_case: str,
    *,
    devices: tuple[DeviceType, ...] = (),
    peers: tuple[DeviceType, ...] = (),
    originator: Originator = Originator.USER,
) -> UseCaseMapping:
    return mapping(
        use_case,
        {"other_device_entity_identifier": At("OtherDeviceID")},
        devices=devices,
        peers=peers,
        originator=originator,
    )


_LIST: Final = "AddDeviceToCHFWhitelist"
_MPXNS: Final = ("ImportMPxN", "SecondaryImportMPAN", "ExportMPAN")

SERVICE_REQUESTS = (
    ServiceRequest(
        variant="8.7.1",
        reference="8.7",
        name="Join Service (Critical)",
        element="JoinServiceCritical",
        body=_OTHER_DEVICE,
        critical=True,
        eligible_roles=SUPPLIERS,
        mappings=(
            _join("CS03A1", "methodAInitiator"),
            _join("CS03A2", "methodAResponder", peers=_ELECTRICITY),
            _join("CS03C", "methodC", certificate=True),
        ),
    ),
    ServiceRequest(
        variant="8.7.2",
        reference="8.7",
        name="Join Service (Non-Critical)",
        element="JoinServiceNonCritical",
        body=_OTHER_DEVICE,
        critical=False,
        eligible_roles=(*SUPPLIERS, OTHER_USER),
        mappings=(
            _join("CS03A2", "methodAResponder", peers=_ELECTRICITY, originator=Originator.BROKER_FOR_USER),
            _join(
                "CS03C",
                "methodC",
                certificate=True,
                devices=(DeviceType.PPMID,),
                peers=_GAS,
                originator=Originator.BROKER_FOR_USER,
            ),
            _join("CS03B", "methodB"),
        ),
    ),
    ServiceRequest(
        variant="8.8.1",
        reference="8.8",
        name="Unjoin Service (Critical)",
        element="UnjoinServiceCritical",
        body=_OTHER_DEVICE,
        critical=True,
        eligible_roles=SUPPLIERS,
        mappings=(_unjoin("CS04AC"),),
    ),
    ServiceRequest(
        variant="8.8.2",
        reference="8.8",
        name="Unjoin Service (Non-Critical)",
        element="UnjoinServiceNonCritical",
        body=_OTHER_DEVICE,
        critical=False,
        eligible_roles=(*SUPPLIERS, OTHER_USER),
        mappings=(
            _unjoin(
                "CS04AC",
                devices=(DeviceType.PPMID,),
                peers=(*_ELECTRICITY, *_GAS),
                originator=Originator.BROKER_FOR_USER,
            ),
            _unjoin("CS04B"),
        ),
    ),
    ServiceRequest(
        variant="8.9",
        reference="8.9",
        name="Read Device Log",
        element="ReadDeviceLog",
        body=body(EXECUTION, optional("ReadSecurityDetails", PRESENT)),
        critical=False,
        eligible_roles=(*SUPPLIERS, OTHER_USER),
        future_dating=FutureDating.DSP,
        dcc_elements=(EXECUTION_DATE_TIME,),
        mappings=(
            mapping("CCS07", when=(Has("ReadSecurityDetails"),), unverified=("ReadSecurityDetails",)),
            mapping("CCS06", when=(Lacks("ReadSecurityDetails"),)),
            mapping("CCS05/CCS04", when=(Lacks("ReadSecurityDetails"),)),
            mapping("CS07"),
        ),
    ),
    ServiceRequest(
        variant="8.11",
        reference="8.11",
        name="Update HAN Device Log",
        element="UpdateHANDeviceLog",
        body=body(
            EXECUTION,
            Child("DeviceID", EUI),
            Child("RequestType", Word(("Add", "Remove"))),
            optional(
                _LIST,
                Sequence(
                    Child("JoinTimePeriod", Number(1, 3600)),
                    Child("InstallCode", INSTALL_CODE),
                    optional("ImportMPxN", Text(1, 13)),
                    optional("SecondaryImportMPAN", MPAN),
                    optional("ExportMPAN", MPAN),
                ),
            ),
        ),
        critical=False,
        eligible_roles=(*SUPPLIERS, OTHER_USER),
        future_dating=FutureDating.DSP,
        dcc_elements=(EXECUTION_DATE_TIME, *(f"{_LIST}.{name}" for name in _MPXNS)),
        mappings=(
            mapping(
                "CCS01",
                {
                    "entry_to_be_added": {
                        "entity_identifier": At("DeviceID"),
                        "credentials_type": "install code",
                        "installation_credentials": At(f"{_LIST}.InstallCode"),
                        "device_type": 0,
                    },
                    "joining_time_period": At(f"{_LIST}.JoinTimePeriod"),
                    "allows_devices_on_to_the_han": True,
                },
                when=(Is("RequestType", "Add"),),
            ),
            mapping("CCS02", {"entry_to_be_removed": At("DeviceID")}, when=(Is("RequestType", "Remove"),)),
        ),
    ),
    ServiceRequest(
        variant="8.12.1",
        reference="8.12",
        name="Restore HAN Device Log",
        element="RestoreHANDeviceLog",
        body=body(Child("OldCHFID", EUI)),
        critical=False,
        eligible_roles=SUPPLIERS,
        dcc_elements=("OldCHFID",),
        mappings=(
            mapping(
                "CCS03",
                {"log_details": {"han_identifier": Fact("hub_log_han"), "devices": Fact("hub_log_devices")}},
            ),
        ),
    ),
    ServiceRequest(
        variant="8.12.2",
        reference="8.12",
        name="Restore Gas Proxy Function Device Log",
        element="RestoreGPFDeviceLog",
        body=body(Child("OldGPFID", EUI)),
        critical=False,
        eligible_roles=SUPPLIERS,
        dcc_elements=("OldGPFID",),
        mappings=(
            mapping("GCS59", {"device_log_entries": Fact("gas_proxy_log")}, originator=Originator.BROKER),
        ),
    ),
)
