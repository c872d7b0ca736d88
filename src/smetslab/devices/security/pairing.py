"""Pairing devices of one home, and parting them: methods A, B and C as a table.

Spec: GBCS 13.7, use cases CS03A1, CS03A2, CS03B, CS03C, CS04AC, CS04B, CS07, GCS59.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from smetslab.devices import events
from smetslab.devices.payload_engine import Fault
from smetslab.devices.security.device_log import DeviceLog
from smetslab.devices.security.names import device_type_name, device_type_named
from smetslab.devices.security.operation import Host, Operation, Outcome, Request
from smetslab.devices.work import Work
from smetslab.errors import CertificateError
from smetslab.gbcs.codes import DeviceType, KeyUsage
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import Parameters, Value, from_hex
from smetslab.ids import Eui64
from smetslab.pki import Certificate, CertificateKind, check_profile, parse_certificate

JOIN_CODES: Final = {
    0: "success",
    1: "invalidMessageCodeForJoinMethodAndRole",
    2: "invalidJoinMethodAndRole",
    3: "incompatibleWithExistingEntry",
    4: "deviceLogFull",
    5: "writeFailure",
    6: "keyAgreementNoResources",
    7: "keyAgreementUnknownIssuer",
    8: "keyAgreementUnsupportedSuite",
    9: "keyAgreementBadMessage",
    10: "keyAgreementBadKeyConfirm",
    11: "invalidOrMissingCertificate",
    12: "noPartnerLinkKeyReceived",
    13: "noCBKEResponse",
}
_UNJOIN_CODES: Final = {0: "success", 1: "otherDeviceNotInDeviceLog", 2: "otherFailure"}

Agree = Callable[[Eui64, DeviceType], int]
"""Establishes a link key with a device on the HAN: the join response code."""


def agree_at_once(device: Eui64, device_type: DeviceType) -> int:
    """On a HAN whose link layer keeps the keys itself."""
    del device, device_type
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One row: which use case may pair a device of this type with which others, in which way."""

    use_case: str
    method: str
    device: DeviceType
    peers: tuple[DeviceType, ...]
    certificate: bool = False


METHODS: Final[tuple[Method, ...]] = (
    Method(
        use_case="CS03A1",
        method="methodAInitiator",
        device=DeviceType.ESME,
        peers=(DeviceType.PPMID, DeviceType.HCALCS),
    ),
    Method(use_case="CS03A2", method="methodAResponder", device=DeviceType.PPMID, peers=(DeviceType.ESME,)),
    Method(use_case="CS03A2", method="methodAResponder", device=DeviceType.HCALCS, peers=(DeviceType.ESME,)),
    Method(
        use_case="CS03B",
        method="methodB",
        device=DeviceType.GSME,
        peers=(DeviceType.GPF, DeviceType.TYPE_2),
    ),
    Method(
        use_case="CS03B",
        method="methodB",
        device=DeviceType.ESME,
        peers=(DeviceType.GPF, DeviceType.TYPE_2),
    ),
    Method(
        use_case="CS03B",
        method="methodB",
        device=DeviceType.GPF,
        peers=(DeviceType.GSME, DeviceType.PPMID, DeviceType.TYPE_2),
    ),
    Method(use_case="CS03B", method="methodB", device=DeviceType.PPMID, peers=(DeviceType.GPF,)),
    Method(
        use_case="CS03C",
        method="methodC",
        device=DeviceType.GSME,
        peers=(DeviceType.PPMID,),
        certificate=True,
    ),
    Method(
        use_case="CS03C",
        method="methodC",
        device=DeviceType.PPMID,
        peers=(DeviceType.GSME,),
        certificate=True,
    ),
)
"""Spec: GBCS 13.7. In method C both devices get the other's certificate, in no other method either does."""

_JOINS: Final = ("CS03A1", "CS03A2", "CS03B", "CS03C")
_UNJOINS: Final = ("CS04AC", "CS04B")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """The pairing of one device."""

    host: Host
    device_type: DeviceType
    log: DeviceLog
    agree: Agree = agree_at_once

    def operations(self) -> tuple[Operation, ...]:
        rows = [
            Operation(
                use_case=name, execute=self._join, refusal=lambda _: {"join_response_code": JOIN_CODES[2]}
            )
            for name in _JOINS
        ]
        rows += [
            Operation(
                use_case=name,
                execute=self._unjoin,
                refusal=lambda _: {"unjoin_response_code": _UNJOIN_CODES[2]},
            )
            for name in _UNJOINS
        ]
        rows += [
            Operation(
                use_case="CS07",
                execute=self._read,
                refusal=lambda _: {"read_log_response_code": "readFailure"},
            ),
            Operation(use_case="GCS59", execute=self._restore),
        ]
        return tuple(row for row in rows if self.device_type in USE_CASES[row.use_case].devices)

    # ---------------------------------------------------------------------------- join

    def _join(self, request: Request) -> Outcome:
        asked = request.parameters
        device = Eui64.parse(str(asked["other_device_entity_identifier"]))
        code, certificate = self._judge(request.use_case, device, asked)
        device_type = device_type_named(asked["other_device_type"])
        if code == 0 and request.fault is not None:
            code = _code_of(request.fault, 5)
        if code == 0 and device_type is not None:
            code = self.agree(device, device_type)
        if code == 0 and device_type is not None:
            self.log.add(request.work, device, device_type, certificate)
            request.work.note("DeviceJoined", device=str(device), type=device_type.name)
        self.host.raise_event(request.work, events.JOINED if code == 0 else events.NOT_JOINED)
        return Outcome({"join_response_code": JOIN_CODES.get(code, JOIN_CODES[5])}, None if code == 0 else 0)

    def _judge(self, use_case: str, device: Eui64, asked: Parameters) -> tuple[int, Certificate | None]:
        """What is wrong with a pairing, and the certificate that it brings. The order is unverified."""
        device_type = device_type_named(asked["other_device_type"])
        method = asked["join_method_and_role"]
        own = [row for row in METHODS if row.device is self.device_type]
        if method not in {row.method for row in METHODS}:
            return 2, None
        rows = [row for row in own if row.use_case == use_case]
        if method not in {row.method for row in rows}:
            return 1, None
        row = next((one for one in rows if one.method == method and device_type in one.peers), None)
        if row is None or device_type is None:
            return 2, None
        given = asked.get("other_device_certificate")
        if (given is not None) != row.certificate:
            return 11, None
        certificate = None if given is None else _peer_certificate(from_hex(given, "certificate"))
        if row.certificate and certificate is None:
            return 11, None
        return self._room_for(device, device_type), certificate

    def _room_for(self, device: Eui64, device_type: DeviceType) -> int:
        existing = self.log.find(device)
        if existing is not None:
            return 0 if existing.device_type is device_type else 3
        return 4 if self.log.full else 0

    # ---------------------------------------------------------------------------- unjoin

    def _unjoin(self, request: Request) -> Outcome:
        device = Eui64.parse(str(request.parameters["other_device_entity_identifier"]))
        if self.log.find(device) is None:
            code = 1
        elif request.fault is not None:
            code = _code_of(request.fault, 2)
        else:
            self.log.remove(request.work, device)
            request.work.note("DeviceUnjoined", device=str(device))
            code = 0
        self.host.raise_event(request.work, events.UNJOINED if code == 0 else events.NOT_UNJOINED)
        return Outcome(
            {"unjoin_response_code": _UNJOIN_CODES.get(code, _UNJOIN_CODES[2])}, None if code == 0 else 0
        )

    # ---------------------------------------------------------------------------- log

    def _read(self, request: Request) -> Outcome:
        if request.fault is not None:
            return Outcome({"read_log_response_code": "readFailure"}, 0)
        return Outcome({"read_log_response_code": "success", "device_log_entries": self.entries()})

    def entries(self) -> list[Value]:
        """The log as messages show it."""
        return [
            {"device_id": str(entry.device), "device_type": device_type_name(entry.device_type)}
            for entry in self.log.entries
        ]

    def _restore(self, request: Request) -> Outcome:
        """Each entry of an old hub's backup is taken over by itself. Spec: GBCS use case GCS59."""
        told: list[Value] = []
        failed: int | None = None
        given = request.parameters["device_log_entries"]
        for place, entry in enumerate(given if isinstance(given, list) else []):
            code = self._restore_one(request.work, entry, request.fault, place)
            failed = place if code and failed is None else failed
            told.append(
                {"device_log_entry": entry, "join_response_code": JOIN_CODES.get(code, JOIN_CODES[5])}
            )
        return Outcome({"restore_outcomes": told}, failed)

    def _restore_one(self, work: Work, entry: Value, fault: Fault | None, place: int) -> int:
        if fault is not None and fault.item == place:
            return _code_of(fault, 5)
        if not isinstance(entry, dict):
            return 5
        device_type = device_type_named(entry["device_type"])
        if device_type is None:
            return 2
        device = Eui64.parse(str(entry["device_id"]))
        code = self._room_for(device, device_type)
        if code == 0:
            self.log.add(work, device, device_type)
        return code


def _peer_certificate(der: bytes) -> Certificate | None:
    """A device's key agreement certificate. That it is the device's own is not asked: a published pairing
    with another one's succeeds."""
    try:
        certificate = parse_certificate(der)
    except CertificateError:
        return None
    if certificate.key_usage is not KeyUsage.KEY_AGREEMENT:
        return None
    # The certificate of a published pairing that succeeds has policies that are not critical.
    wrong = [
        finding
        for finding in check_profile(certificate, CertificateKind.DEVICE, policies=())
        if finding.rule != "certificate policies"
    ]
    return None if wrong else certificate


def _code_of(fault: Fault, usual: int) -> int:
    return usual if fault.result is None else fault.result
