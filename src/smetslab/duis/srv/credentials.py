"""Variants about security credentials. Spec: DUIS service references 6.15, 6.17, 6.21, 6.23, 6.24, 8.5.

Spec: GBCS 13.3 (credentials replacement modes), Annex 3 (modules).
"""

from __future__ import annotations

from typing import Final

from smetslab.duis.codes import FutureDating
from smetslab.duis.srv import simple
from smetslab.duis.srv.common import DISTRIBUTOR, EXECUTION, FLOOR, SUPPLIERS, TRANSPORTER
from smetslab.duis.srv.components import ACTIVATION_TIME
from smetslab.duis.srv.derived import NotEmpty
from smetslab.duis.srv.forms import CANCELLATION, words
from smetslab.duis.srv.holes import At, Choose, Fact, ForEach, Switch, Unless, Unsaid
from smetslab.duis.srv.model import (
    EXECUTION_DATE_TIME,
    Is,
    Originator,
    ServiceRequest,
    UseCaseMapping,
    body,
    mapping,
)
from smetslab.duis.srv.shapes import Child, OneOf, Sequence, many, optional
from smetslab.duis.srv.simple import BOOLEAN, CERTIFICATE, Text, Word
from smetslab.duis.srv.template import ABSENT, Template
from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.gbcs.values import IMMEDIATE

ROLES: Final = {
    "ACB": "accessControlBroker",
    "NetworkOperator": "networkOperator",
    "Recovery": "recovery",
    "Root": "root",
    "Supplier": "supplier",
    "TransCoS": "transitionalCoS",
    "LoadController": "loadController",
}
_ROLE = Word(tuple(ROLES))
_CREDENTIAL_TYPE = Word(("Digital Signature", "Key Agreement"))
_KEY_USAGE: Final = words({"Digital Signature": "digitalSignature", "Key Agreement": "keyAgreement"})

_PATH = Child("CertificationPathCertificates", Sequence(many("Certificate", CERTIFICATE, 1, 3)))
_CHECKS = Child("ApplyTimeBasedCPVChecks", BOOLEAN)
_FLOORS = (
    optional("RemotePartyFloorSeqNumber", FLOOR),
    optional("RemotePartyPrepaymentTopUpFloorSeqNumber", FLOOR),
)


def _cell(role: str, usage: str, cell: str = "management") -> dict[str, Template]:
    return {
        "trust_anchor_cell_remote_party_role": role,
        "trust_anchor_cell_key_usage": usage,
        "trust_anchor_cell_usage": cell,
    }


_CERTIFICATES: Final = {
    "DigitalSigningCertificate": ("digitalSignature", "management"),
    "KeyAgreementCertificate": ("keyAgreement", "management"),
    "KeyAgreementTopUpCertificate": ("keyAgreement", "prePaymentTopUp"),
}


def _replacements(elements: str, role: str, *names: str) -> Template:
    """A replacement for each certificate that is given."""
    return NotEmpty(
        elements,
        tuple(
            Choose(
                {
                    f"{elements}.{name}": {
                        "replacement_certificate": At(f"{elements}.{name}"),
                        "target_trust_anchor_cell": _cell(role, *_CERTIFICATES[name]),
                    }
                },
                otherwise=ABSENT,
            )
            for name in names
        ),
    )


def _top_up_floor(element: str) -> Template:
    return Choose(
        {element: [{"seq_number_usage": "prepaymentTopUp", "seq_number": At(element)}]}, otherwise=ABSENT
    )


def _command(
    mode: str, control: dict[str, Template], replacements: Template, time: Template = ACTIVATION_TIME
) -> dict[str, Template]:
    """The parameters of an Update Security Credentials command. Spec: GBCS Annex 3."""
    return {
        "authorising_remote_party_control": {
            "credentials_replacement_mode": mode,
            # Said only where the checks are left out.
            "apply_time_based_cpv_checks": Switch(
                "ApplyTimeBasedCPVChecks", {True: ABSENT, False: "disapply"}
            ),
            "authorising_remote_party_seq_number": Fact("originator_counter"),
            **control,
        },
        "replacements": replacements,
        "certification_path_certificates": [ForEach("CertificationPathCertificates.Certificate", At(""))],
        "execution_date_time": time,
    }


_CERTIFICATE_NAMES = tuple(_CERTIFICATES)
_MANAGEMENT_NAMES = _CERTIFICATE_NAMES[:2]
_TOP_UP: Final = "RemotePartyPrepaymentTopUpFloorSeqNumber"


def _by_itself(
    use_case: str, mode: str, role: str, elements: str, originator: Originator = Originator.USER
) -> UseCaseMapping:
    """A role replaces its own credentials."""
    (word,) = (word for word, name in ROLES.items() if name == role)
    supplier = role == "supplier"
    control: dict[str, Template] = {
        "authorising_remote_party_ta_cell_identifier": _cell(role, "digitalSignature"),
        "new_remote_party_floor_seq_number": At("RemotePartyFloorSeqNumber", absent=ABSENT),
    }
    if supplier:
        control["new_remote_party_specialist_floor_seq_number"] = _top_up_floor(_TOP_UP)
    # The DCC carries out at its time what it originates.
    time: Template = ACTIVATION_TIME if originator is Originator.USER else IMMEDIATE
    return mapping(
        use_case,
        _command(
            mode,
            control,
            _replacements(elements, role, *(_CERTIFICATE_NAMES if supplier else _MANAGEMENT_NAMES)),
            time,
        ),
        when=(Is("RemotePartyRole", word),),
        originator=originator,
    )


_KRP: Final = "ReplacementCertificates.SupplierOrNetworkOperatorCertificates"
_KRP_MAPPINGS: Final = (
    _by_itself("CS02b.supplierBySupplier", "supplierBySupplier", "supplier", _KRP),
    _by_itself(
        "CS02b.networkOperatorByNetworkOperator", "networkOperatorByNetworkOperator", "networkOperator", _KRP
    ),
    mapping(
        "CS02g.loadControllerBySupplier",
        _command(
            "loadControllerBySupplier",
            {
                "authorising_remote_party_ta_cell_identifier": _cell("supplier", "digitalSignature"),
                "other_remote_party_seq_number_changes": Choose(
                    {
                        "RemotePartyFloorSeqNumber": [
                            {
                                "other_remote_party_role": "loadController",
                                "other_remote_party_floor_seq_number": At("RemotePartyFloorSeqNumber"),
                            }
                        ]
                    },
                    otherwise=ABSENT,
                ),
            },
            _replacements(_KRP, "loadController", *_MANAGEMENT_NAMES),
        ),
        when=(Is("RemotePartyRole", "LoadController"),),
        roles=(RemotePartyRole.SUPPLIER,),
    ),
    _by_itself(
        "CS02g.loadControllerByLoadController", "loadControllerByLoadController", "loadController", _KRP
    ),
)

_CHANGE_OF_SUPPLIER: Final = _command(
    "supplierByTransCoS",
    {
        "authorising_remote_party_ta_cell_identifier": _cell("transitionalCoS", "digitalSignature"),
        "other_remote_party_seq_number_changes": Unless(
            f"/{EXECUTION_DATE_TIME}",
            CANCELLATION,
            [
                {
                    "other_remote_party_role": "supplier",
                    "other_remote_party_floor_seq_number": At("SupplierFloorSeqNumber"),
                    "new_remote_party_specialist_floor_seq_number": _top_up_floor(
                        "SupplierPrepaymentTopUpFloorSeqNumber"
                    ),
                }
            ],
        ),
    },
    _replacements("SupplierReplacementCertificates", "supplier", *_CERTIFICATE_NAMES),
)


def _opt_out(devices: tuple[DeviceType, ...], control: dict[str, Template]) -> UseCaseMapping:
    return mapping(
        "CS02b.accessControlBrokerByACB",
        _command(
            "accessControlBrokerByACB",
            {**control, "new_remote_party_floor_seq_number": At("ACBFloorSeqNumber")},
            _replacements("ReplacementCertificates", "accessControlBroker", *_MANAGEMENT_NAMES),
            IMMEDIATE,
        ),
        devices=devices,
        originator=Originator.BROKER,
    )


def _details(use_case: str) -> UseCaseMapping:
    return mapping(
        use_case,
        {
            "authorising_remote_party_ta_cell_identifier": _cell("accessControlBroker", "keyAgreement"),
            "remote_party_roles_credentials_required": [ForEach("RemotePartyRole", At("", words(ROLES)))],
        },
        originator=Originator.BROKER,
    )


SERVICE_REQUESTS = (
    ServiceRequest(
        variant="6.15.1",
        reference="6.15",
        name="Update Security Credentials (KRP)",
        element="UpdateSecurityCredentialsKRP",
        body=body(
            EXECUTION,
            Child("RemotePartyRole", _ROLE),
            *_FLOORS,
            Child(
                "ReplacementCertificates",
                Sequence(
                    OneOf(
                        (
                            Child(
                                "SupplierOrNetworkOperatorCertificates",
                                Sequence(*(optional(name, CERTIFICATE) for name in _CERTIFICATES)),
                            ),
                        )
                    )
                ),
            ),
            _PATH,
            _CHECKS,
        ),
        critical=True,
        eligible_roles=(*SUPPLIERS, DISTRIBUTOR, TRANSPORTER),
        future_dating=FutureDating.DEVICE,
        mappings=_KRP_MAPPINGS,
    ),
    ServiceRequest(
        variant="6.15.2",
        reference="6.15",
        name="Update Security Credentials (Device)",
        element="UpdateSecurityCredentialsDevice",
        body=body(Child("DeviceCertificate", CERTIFICATE)),
        critical=True,
        eligible_roles=SUPPLIERS,
        mappings=(mapping("CS02d", {"certificate": At("DeviceCertificate")}),),
    ),
    ServiceRequest(
        variant="6.17",
        reference="6.17",
        name="Issue Security Credentials",
        element="IssueSecurityCredentials",
        body=body(Child("CredentialType", _CREDENTIAL_TYPE)),
        critical=True,
        eligible_roles=SUPPLIERS,
        mappings=(mapping("CS02c", {"key_usage": At("CredentialType", _KEY_USAGE)}),),
    ),
    ServiceRequest(
        variant="6.21",
        reference="6.21",
        name="Request Handover Of DCC Controlled Device",
        element="RequestHandoverOfDCCControlledDevice",
        body=body(
            EXECUTION,
            Child("RemotePartyRole", _ROLE),
            *_FLOORS,
            Child(
                "ReplacementCertificates",
                Sequence(
                    Child("DigitalSigningCertificate", CERTIFICATE),
                    optional("KeyAgreementCertificate", CERTIFICATE),
                    optional("KeyAgreementTopUpCertificate", CERTIFICATE),
                ),
            ),
            _PATH,
            _CHECKS,
        ),
        critical=False,
        eligible_roles=SUPPLIERS,
        future_dating=FutureDating.DSP,
        dcc_elements=(EXECUTION_DATE_TIME,),
        mappings=(
            _by_itself(
                "CS02b.supplierBySupplier",
                "supplierBySupplier",
                "supplier",
                "ReplacementCertificates",
                Originator.BROKER,
            ),
            _by_itself(
                "CS02b.networkOperatorByNetworkOperator",
                "networkOperatorByNetworkOperator",
                "networkOperator",
                "ReplacementCertificates",
                Originator.BROKER,
            ),
        ),
    ),
    ServiceRequest(
        variant="6.23",
        reference="6.23",
        name="Update Security Credentials (CoS)",
        element="UpdateSecurityCredentialsCoS",
        body=body(
            EXECUTION,
            Child("SupplierFloorSeqNumber", FLOOR),
            optional("SupplierPrepaymentTopUpFloorSeqNumber", FLOOR),
            Child(
                "SupplierReplacementCertificates",
                Sequence(
                    Child("DigitalSigningCertificate", CERTIFICATE),
                    optional("KeyAgreementCertificate", CERTIFICATE),
                    optional("KeyAgreementTopUpCertificate", CERTIFICATE),
                ),
            ),
            _PATH,
            _CHECKS,
            Child("ImportMPxN", Text(1, 13)),
        ),
        critical=False,
        eligible_roles=SUPPLIERS,
        future_dating=FutureDating.DSP_AND_DEVICE,
        dcc_elements=("ImportMPxN",),
        mappings=(
            mapping(
                "CS02b.supplierByTransCoS",
                {
                    **_CHANGE_OF_SUPPLIER,
                    "a cancellation sets no floor": Unsaid("SupplierFloorSeqNumber", 0),
                    "and none for top-ups": Unsaid("SupplierPrepaymentTopUpFloorSeqNumber", ABSENT),
                },
                originator=Originator.TRANSITIONAL_COS,
            ),
        ),
    ),
    ServiceRequest(
        variant="6.24.1",
        reference="6.24",
        name="Retrieve Device Security Credentials (KRP)",
        element="RetrieveDeviceSecurityCredentialsKRP",
        body=body(many("RemotePartyRole", _ROLE, 1, 7)),
        critical=False,
        eligible_roles=(*SUPPLIERS, DISTRIBUTOR, TRANSPORTER),
        mappings=(_details("CS02f"), _details("CS02a")),
    ),
    ServiceRequest(
        variant="6.24.2",
        reference="6.24",
        name="Retrieve Device Security Credentials (Device)",
        element="RetrieveDeviceSecurityCredentialsDevice",
        body=body(Child("CredentialType", _CREDENTIAL_TYPE)),
        critical=True,
        eligible_roles=SUPPLIERS,
        mappings=(mapping("CS02e", {"key_usage": At("CredentialType", _KEY_USAGE)}),),
    ),
    ServiceRequest(
        variant="8.5",
        reference="8.5",
        name="Service Opt Out",
        element="ServiceOptOut",
        body=body(
            Child(EXECUTION_DATE_TIME, simple.DATE_TIME),
            Child("ACBFloorSeqNumber", FLOOR),
            Child(
                "ReplacementCertificates",
                Sequence(
                    optional("DigitalSigningCertificate", CERTIFICATE),
                    Child("KeyAgreementCertificate", CERTIFICATE),
                ),
            ),
            _PATH,
            _CHECKS,
        ),
        critical=False,
        # The published list of eligible roles is empty.
        eligible_roles=(),
        future_dating=FutureDating.DSP,
        dcc_elements=(EXECUTION_DATE_TIME,),
        mappings=(
            _opt_out((DeviceType.ESME, DeviceType.GSME, DeviceType.GPF), {}),
            _opt_out(
                (DeviceType.CHF,),
                {
                    "authorising_remote_party_ta_cell_identifier": _cell(
                        "accessControlBroker", "digitalSignature"
                    )
                },
            ),
        ),
    ),
)
