"""A device's own keys: it makes a new pair, gets the certificate, and shows the one it holds.

Spec: GBCS 13.5, use cases CS02c, CS02d, CS02e.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from smetslab.devices import events
from smetslab.devices.security.names import key_usage_named
from smetslab.devices.security.operation import Host, Operation, Outcome, Request
from smetslab.errors import CertificateError
from smetslab.gbcs.codes import DeviceType, KeyUsage
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import Parameters, from_hex
from smetslab.ids import Eui64
from smetslab.pki import Certificate, CertificateKind, check_profile, parse_certificate

_OWN: Final = (KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT)
_ISSUE_FAULT: Final = 3
_STORE_FAULT: Final = 6
_SHOW_FAULT: Final = 3

_ISSUE_CODES: Final = {
    1: "invalidKeyUsage",
    2: "keyPairGenerationFailed",
    3: "certificationRequestProductionFailed",
}
_INSTALL_CODES: Final = {
    0: "success",
    1: "invalidCertificate",
    2: "wrongDeviceIdentity",
    3: "invalidKeyUsage",
    4: "noCorrespondingKeyPairGenerated",
    5: "wrongPublicKey",
    6: "certificateStorageFailed",
    7: "privateKeyChangeFailed",
}
_SHOW_CODES: Final = {1: "invalidKeyUsage", 2: "noCertificateHeld", 3: "certificateRetrievalFailure"}
_REPLACED: Final = {
    KeyUsage.DIGITAL_SIGNATURE: (events.OWN_SIGNING_NOT_REPLACED, events.OWN_SIGNING_REPLACED),
    KeyUsage.KEY_AGREEMENT: (events.OWN_AGREEMENT_NOT_REPLACED, events.OWN_AGREEMENT_REPLACED),
}


_OTHER: Final = {
    KeyUsage.DIGITAL_SIGNATURE: KeyUsage.KEY_AGREEMENT,
    KeyUsage.KEY_AGREEMENT: KeyUsage.DIGITAL_SIGNATURE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRenewal:
    """The renewal of one device's own keys."""

    host: Host
    device: Eui64
    device_type: DeviceType
    returns_other_certificate: bool = False
    """What the quirk of that name does."""

    def operations(self) -> tuple[Operation, ...]:
        rows = (
            Operation(use_case="CS02c", execute=self._issue, refusal=lambda _: _coded(_ISSUE_CODES, 1)),
            Operation(use_case="CS02d", execute=self._install, refusal=lambda _: _coded(_INSTALL_CODES, 1)),
            Operation(use_case="CS02e", execute=self._show, refusal=lambda _: _coded(_SHOW_CODES, 1)),
        )
        return tuple(row for row in rows if self.device_type in USE_CASES[row.use_case].devices)

    def _issue(self, request: Request) -> Outcome:
        usage = key_usage_named(request.parameters["key_usage"])
        if usage not in _OWN:
            return Outcome(_coded(_ISSUE_CODES, 1), 0)
        if request.fault is not None:
            return Outcome(_coded(_ISSUE_CODES, request.fault.result or _ISSUE_FAULT), 0)
        der = self.host.keys.make(request.work, usage)
        return Outcome({"certification_request": der.hex().upper()})

    def _install(self, request: Request) -> Outcome:
        """Spec: GBCS use case CS02d; the order of the checks is unverified."""
        der = from_hex(request.parameters["certificate"], "certificate")
        try:
            certificate = parse_certificate(der)
        except CertificateError:
            return self._installed(request, None, 1)
        code = self._judge(certificate)
        if code == 0 and request.fault is not None:
            code = request.fault.result or _STORE_FAULT
        if code == 0 and certificate.key_usage is not None:
            self.host.keys.install(request.work, certificate.key_usage, certificate)
        return self._installed(request, certificate.key_usage, code)

    def _judge(self, certificate: Certificate) -> int:
        usage = certificate.key_usage
        if certificate.kind is CertificateKind.DEVICE and certificate.entity_id != self.device:
            return 2
        if usage is None or usage not in _OWN:
            return 3
        # Which policies a device certificate names is its authority's choice.
        if check_profile(certificate, CertificateKind.DEVICE, policies=()):
            return 1
        pending = self.host.keys.pending(usage)
        if pending is None:
            return 4
        return 0 if pending.public == certificate.public_key else 5

    def _installed(self, request: Request, usage: KeyUsage | None, code: int) -> Outcome:
        if usage in _REPLACED:
            failed, done = _REPLACED[usage]
            self.host.raise_event(request.work, done if code == 0 else failed)
        return Outcome(_coded(_INSTALL_CODES, code), None if code == 0 else 0)

    def _show(self, request: Request) -> Outcome:
        usage = key_usage_named(request.parameters["key_usage"])
        if usage not in _OWN:
            return Outcome(_coded(_SHOW_CODES, 1), 0)
        if request.fault is not None:
            return Outcome(_coded(_SHOW_CODES, request.fault.result or _SHOW_FAULT), 0)
        if self.returns_other_certificate:
            usage = _OTHER[usage]
        held = self.host.keys.certificate(usage)
        if held is None:
            return Outcome(_coded(_SHOW_CODES, 2), 0)
        return Outcome({"certificate": held.der.hex().upper()})


def _coded(codes: dict[int, str], code: int) -> Parameters:
    return {"response_code": codes[code]}
