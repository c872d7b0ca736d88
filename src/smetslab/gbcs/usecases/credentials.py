"""Use cases about trust anchors and a device's own certificates.

The vectors show these use cases on few devices. The device types follow from the trust anchor cells that a
type of device has, and are marked where no vector shows them all.

Spec: GBCS use cases CS02a to CS02g, 13 (credentials), 13.3 (replacement of trust anchors).
"""

from __future__ import annotations

from smetslab.gbcs.codes import CounterFamily, DeviceType, RemotePartyRole
from smetslab.gbcs.elements import Elements
from smetslab.gbcs.usecases.asn1 import Asn1Payload
from smetslab.gbcs.usecases.common import ESME, SUPPLIER
from smetslab.gbcs.usecases.model import Confidence, ProtectionRule, UseCase, newer

CS02B_ALERT = 0x00CB
CS02G_ALERT = 0x0124

_ALL = (DeviceType.ESME, DeviceType.GSME, DeviceType.CHF, DeviceType.GPF)
_METERS = (DeviceType.ESME, DeviceType.GSME)
_METERS_AND_PROXY = (*_METERS, DeviceType.GPF)
_CHF = (DeviceType.CHF,)

_OUTCOME_ELEMENTS: Elements = {
    "execution_outcome": (
        "ExecutionOutcome",
        "UpdateSecurityCredentialsExecutionOutcome",
    ),
    "execution_outcome.authorising_remote_party_seq_number": ("AuthorisingRemotePartyOriginatorCounter",),
    "execution_outcome.credentials_replacement_mode": ("CredentialsReplacementMode",),
    "execution_outcome.remote_party_seq_number_changes": ("RemotePartySeqNumberChange",),
    "execution_outcome.remote_party_seq_number_changes.other_remote_party_role": ("RemotePartyRole",),
    "execution_outcome.remote_party_seq_number_changes.other_remote_party_floor_seq_number": (
        "RemotePartyFloorSeqNumber",
    ),
    "execution_outcome.remote_party_seq_number_changes.new_remote_party_specialist_floor_seq_number": (
        "RemotePartyPrepaymentTopUpFloorSeqNumber",
    ),
    "execution_outcome.replacement_outcomes": ("ReplacementOutcome",),
    "execution_outcome.replacement_outcomes.affected_trust_anchor_cell": ("CertificateType",),
    "execution_outcome.replacement_outcomes.status_code": ("StatusCode",),
    "execution_outcome.replacement_outcomes.existing_subject_unique_id": ("ExistingRemotePartyID",),
    "execution_outcome.replacement_outcomes.existing_subject_key_identifier": ("ExistingCertificateHash",),
    "execution_outcome.replacement_outcomes.replacing_subject_unique_id": ("NewRemotePartyID",),
    "execution_outcome.replacement_outcomes.replacing_subject_key_identifier": ("NewCertificateHash",),
}
"""Spec: MMC ExecutionOutcome."""

_DETAILS = Asn1Payload(
    command="ProvideSecurityCredentialDetailsCommand",
    response="ProvideSecurityCredentialDetailsResponse",
    elements={
        "remote_party_roles_credentials_required": ("RemotePartyRole",),
        "remote_party_details": ("RemotePartyDetails",),
        "remote_party_details.remote_party_role": ("RemotePartyRole",),
        "remote_party_details.status_code": ("StatusCode",),
        "remote_party_details.current_seq_number": ("RemotePartyFloorSeqNumber",),
        "remote_party_details.trust_anchor_cells_details.trust_anchor_cell_key_usage": ("CertificateUsage",),
        "remote_party_details.trust_anchor_cells_details.existing_subject_unique_id": (
            "ExistingRemotePartyID",
        ),
        "remote_party_details.trust_anchor_cells_details.existing_subject_key_identifier": (
            "ExistingCertificateHash",
        ),
    },
)
_UPDATE = Asn1Payload(
    command="UpdateSecurityCredentialsCommand",
    response="UpdateSecurityCredentialsResponse",
    activation="execution_date_time",
    elements={
        **_OUTCOME_ELEMENTS,
        "execution_date_time": ("ExecutionDateTime",),
        "authorising_remote_party_control.apply_time_based_cpv_checks": ("ApplyTimeBasedCPVChecks",),
        "authorising_remote_party_control.new_remote_party_floor_seq_number": (
            "RemotePartyFloorSeqNumber",
            "SupplierFloorSeqNumber",
            "ACBFloorSeqNumber",
        ),
        "authorising_remote_party_control.new_remote_party_specialist_floor_seq_number": (
            "RemotePartyPrepaymentTopUpFloorSeqNumber",
            "SupplierPrepaymentTopUpFloorSeqNumber",
        ),
        "replacements": (
            "ReplacementCertificates",
            "SupplierReplacementCertificates",
        ),
        "replacements.replacement_certificate": (
            "DigitalSigningCertificate",
            "KeyAgreementCertificate",
            "KeyAgreementTopUpCertificate",
        ),
        "certification_path_certificates": ("CertificationPathCertificates",),
    },
)
_UPDATE_ALERT = Asn1Payload(
    alert="UpdateSecurityCredentialsAlert",
    elements={**_OUTCOME_ELEMENTS, "alert_code": ("GBCSHexAlertCode",), "time_stamp": ("Timestamp",)},
)


def _update(
    name: str,
    code: int,
    title: str,
    *,
    devices: tuple[DeviceType, ...],
    originators: tuple[RemotePartyRole, ...],
    service_requests: tuple[str, ...] = (),
    alert: int = CS02B_ALERT,
    protection: ProtectionRule = ProtectionRule.CRITICALITY,
    confidence: Confidence = "vectors",
    unverified: tuple[str, ...] = ("devices",),
) -> UseCase:
    """One mode of Update Security Credentials. Modes differ in who may replace whose certificates."""
    return UseCase(
        name=name,
        code=code,
        title=title,
        devices=devices,
        critical=True,
        payload=_UPDATE,
        originator_roles=originators,
        service_requests=service_requests,
        replay_protected=True,
        counter_family=CounterFamily.CS02B,
        future_dateable=True,
        date_time_in_response=True,
        alerts=(alert,),
        protection=protection,
        confidence=confidence,
        unverified=unverified,
    )


USE_CASES = (
    UseCase(
        name="CS02a",
        code=0x0008,
        title="Provide Security Credentials Details",
        devices=_ALL,
        critical=False,
        payload=_DETAILS,
        originator_roles=(RemotePartyRole.ACCESS_CONTROL_BROKER, RemotePartyRole.TRANSITIONAL_COS),
        service_requests=("6.24.1",),
        protection=ProtectionRule.REQUESTER,
        unverified=("devices",),
    ),
    newer(
        UseCase(
            name="CS02f",
            code=0x011B,
            title="Provide Security Credential Details incl. Load Controller role",
            devices=ESME,
            critical=False,
            payload=_DETAILS,
            originator_roles=(
                RemotePartyRole.ACCESS_CONTROL_BROKER,
                RemotePartyRole.SUPPLIER,
                RemotePartyRole.TRANSITIONAL_COS,
            ),
            service_requests=("6.24.1",),
            protection=ProtectionRule.REQUESTER,
        ),
        than="CS02a",
    ),
    _update(
        "CS02b.rootBySupplier",
        0x0100,
        "Update Security Credentials (rootBySupplier)",
        devices=_METERS_AND_PROXY,
        originators=SUPPLIER,
        confidence="unverified",
        unverified=("code", "devices", "originator_roles"),
    ),
    _update(
        "CS02b.rootByWanProvider",
        0x0101,
        "Update Security Credentials (rootByWanProvider)",
        devices=_CHF,
        originators=(RemotePartyRole.WAN_PROVIDER,),
        confidence="unverified",
        unverified=("code", "devices", "originator_roles"),
    ),
    _update(
        "CS02b.supplierBySupplier",
        0x0102,
        "Update Security Credentials (supplierBySupplier)",
        devices=_METERS_AND_PROXY,
        originators=(RemotePartyRole.SUPPLIER, RemotePartyRole.ACCESS_CONTROL_BROKER),
        service_requests=("6.15.1", "6.21"),
    ),
    _update(
        "CS02b.networkOperatorByNetworkOperator",
        0x0103,
        "Update Security Credentials (networkOperatorByNetworkOperator)",
        devices=_METERS_AND_PROXY,
        originators=(RemotePartyRole.NETWORK_OPERATOR, RemotePartyRole.ACCESS_CONTROL_BROKER),
        service_requests=("6.15.1", "6.21"),
    ),
    _update(
        "CS02b.accessControlBrokerByACB",
        0x0104,
        "Update Security Credentials (accessControlBrokerByACB)",
        devices=_ALL,
        originators=(RemotePartyRole.ACCESS_CONTROL_BROKER,),
        service_requests=("8.5",),
        protection=ProtectionRule.MAC_UNLESS_HUB,
    ),
    _update(
        "CS02b.wanProviderByWanProvider",
        0x0105,
        "Update Security Credentials (wanProviderByWanProvider)",
        devices=_CHF,
        originators=(RemotePartyRole.WAN_PROVIDER,),
        unverified=(),
    ),
    _update(
        "CS02b.transCoSByTransCoS",
        0x0106,
        "Update Security Credentials (transCoSByTransCoS)",
        devices=_METERS_AND_PROXY,
        originators=(RemotePartyRole.TRANSITIONAL_COS,),
    ),
    _update(
        "CS02b.supplierByTransCoS",
        0x0107,
        "Update Security Credentials (supplierByTransCoS)",
        devices=_METERS_AND_PROXY,
        originators=(RemotePartyRole.TRANSITIONAL_COS,),
        service_requests=("6.23",),
    ),
    _update(
        "CS02b.anyExceptAbnormalRootByRecovery",
        0x0108,
        "Update Security Credentials (anyExceptAbnormalRootByRecovery)",
        devices=_ALL,
        originators=(RemotePartyRole.RECOVERY,),
        protection=ProtectionRule.SIGNATURE,
    ),
    _update(
        "CS02b.anyByContingency",
        0x0109,
        "Update Security Credentials (anyByContingency)",
        devices=_ALL,
        # The contingency key belongs to the root, and has no cell of its own.
        originators=(RemotePartyRole.ROOT,),
        protection=ProtectionRule.SIGNATURE,
        unverified=("devices", "originator_roles"),
    ),
    UseCase(
        name="CS02b-ALERT",
        code=CS02B_ALERT,
        title="Future Dated Update Security Credentials Alert",
        devices=_ALL,
        critical=True,
        payload=_UPDATE_ALERT,
        counter_family=CounterFamily.CS02B,
    ),
    UseCase(
        name="CS02c",
        code=0x000A,
        title="Issue Security Credentials",
        devices=_METERS,
        critical=True,
        payload=Asn1Payload(
            command="IssueSecurityCredentialsCommand",
            response="IssueSecurityCredentialsResponse",
            elements={
                "key_usage": ("CredentialType",),
                "certification_request": ("CertificationRequest",),
                "response_code": ("IssueCredentialsResponseCode",),
            },
        ),
        originator_roles=SUPPLIER,
        service_requests=("6.17",),
        replay_protected=True,
        unverified=("devices",),
    ),
    UseCase(
        name="CS02d",
        code=0x000B,
        title="Update Device Certificates on Device",
        devices=_METERS,
        critical=True,
        payload=Asn1Payload(
            command="UpdateDeviceCertificateCommand",
            response="UpdateDeviceCertificateResponse",
            elements={
                "certificate": ("DeviceCertificate",),
                "response_code": ("UpdateSecurityCredentialsResponseCode",),
            },
        ),
        originator_roles=SUPPLIER,
        service_requests=("6.15.2",),
        replay_protected=True,
        unverified=("devices",),
    ),
    UseCase(
        name="CS02e",
        code=0x000C,
        title="Provide Device Certificates from Device",
        devices=_METERS,
        critical=True,
        payload=Asn1Payload(
            command="ProvideDeviceCertificateCommand",
            response="ProvideDeviceCertificateResponse",
            elements={
                "key_usage": ("CredentialType",),
                "certificate": ("Certificate",),
                "response_code": ("RetrieveDeviceSecurityCredentialsStatusCode",),
            },
        ),
        originator_roles=SUPPLIER,
        service_requests=("6.24.2",),
        replay_protected=True,
        unverified=("devices",),
    ),
    _update(
        "CS02g.loadControllerByLoadController",
        0x0125,
        "Update Load Controller Security Credentials by the Load Controller",
        devices=ESME,
        originators=(RemotePartyRole.LOAD_CONTROLLER,),
        service_requests=("6.15.1",),
        alert=CS02G_ALERT,
        unverified=(),
    ),
    _update(
        "CS02g.loadControllerBySupplier",
        0x0126,
        "Update Load Controller Security Credentials by the Supplier",
        devices=ESME,
        originators=SUPPLIER,
        service_requests=("6.15.1",),
        alert=CS02G_ALERT,
        unverified=(),
    ),
    UseCase(
        name="CS02g-ALERT",
        code=CS02G_ALERT,
        title="Future Dated Update Load Controller Security Credentials Alert",
        devices=ESME,
        critical=True,
        payload=_UPDATE_ALERT,
        counter_family=CounterFamily.CS02B,
    ),
)
