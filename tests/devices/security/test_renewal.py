"""A device's own keys: a new pair, its request, its certificate, and every refusal with its code."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from security_kit import AUTHORITY, DEVICE, PEER, Kit, Steps

from smetslab.crypto import PublicKey
from smetslab.devices.payload_engine import Fault
from smetslab.gbcs.codes import KeyUsage
from smetslab.gbcs.message import decode_message
from smetslab.gbcs.security import verify_signature
from smetslab.pki import Certificate
from smetslab.store import PowerCut

DS, KA = KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT


def requested(kit: Kit, usage: KeyUsage, counter: int) -> PublicKey:
    """The public half of a new pair, read from its request by another library."""
    answer = kit.ask("CS02c", {"key_usage": usage.value}, counter=counter)
    request = x509.load_der_x509_csr(bytes.fromhex(str(answer["certification_request"])))
    assert request.is_signature_valid
    assert not request.subject.rdns
    (used,) = [e.value for e in request.extensions if isinstance(e.value, x509.KeyUsage)]
    assert used.digital_signature is (usage is DS)
    assert used.key_agreement is (usage is KA)
    (names,) = [e.value for e in request.extensions if isinstance(e.value, x509.SubjectAlternativeName)]
    (name,) = names.get_values_for_type(x509.OtherName)
    assert name.value.endswith(DEVICE.raw)
    key = request.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return PublicKey.of(key)


def install(kit: Kit, certificate: Certificate | bytes, counter: int) -> Any:
    der = certificate if isinstance(certificate, bytes) else certificate.der
    return kit.ask("CS02d", {"certificate": der.hex().upper()}, counter=counter)["response_code"]


def shown(kit: Kit, usage: KeyUsage, counter: int) -> str:
    return str(kit.ask("CS02e", {"key_usage": usage.value}, counter=counter)["certificate"])


@pytest.mark.parametrize(("usage", "event"), [(DS, "8F4D"), (KA, "8F4F")])
def test_a_new_pair_works_once_its_certificate_is_there(kit: Kit, usage: KeyUsage, event: str) -> None:
    old = shown(kit, usage, 1)
    new = AUTHORITY.certify_device(DEVICE, usage, requested(kit, usage, 2))
    assert shown(kit, usage, 3) == old
    assert install(kit, new, 4) == "success"
    assert kit.codes() == [event]
    # Signatures, and MACs of commands, are those of the new pair from now on; over a power cut too.
    for counter in (5, 6):
        assert shown(kit, usage, counter) == new.der.hex().upper()
        kit.power_cut()


def test_the_acknowledgement_is_signed_with_the_new_key(kit: Kit) -> None:
    new = AUTHORITY.certify_device(DEVICE, DS, requested(kit, DS, 2))
    command = kit.command("CS02d", {"certificate": new.der.hex().upper()}, counter=3)
    (sent,) = [one for one in kit.send(command) if one.event == "ResponseSent"]
    assert verify_signature(decode_message(sent.data), new.public_key)


def test_a_second_request_replaces_the_first(kit: Kit) -> None:
    first, second = requested(kit, DS, 1), requested(kit, DS, 2)
    assert first != second
    assert install(kit, AUTHORITY.certify_device(DEVICE, DS, first), 3) == "wrongPublicKey"
    assert install(kit, AUTHORITY.certify_device(DEVICE, DS, second), 4) == "success"


def test_a_pair_that_waits_survives_a_power_cut(kit: Kit) -> None:
    waiting = requested(kit, KA, 1)
    kit.power_cut()
    assert install(kit, AUTHORITY.certify_device(DEVICE, KA, waiting), 2) == "success"
    assert install(kit, AUTHORITY.certify_device(DEVICE, KA, waiting), 3) == "noCorrespondingKeyPairGenerated"


def test_keys_are_those_of_the_seed(make_kit: Any) -> None:
    one, other = make_kit(owner="one"), make_kit(owner="other")
    assert requested(one, DS, 1) == requested(other, DS, 1)


WRONG = [
    ("garbage", b"\x30\x03\x01\x01\xff", "invalidCertificate", []),
    ("other device", AUTHORITY.device(PEER, DS).certificate, "wrongDeviceIdentity", ["8F4C"]),
    ("authority", AUTHORITY.issuing.certificate, "invalidKeyUsage", []),
    ("organisation", AUTHORITY.organisation(DEVICE, 2, DS).certificate, "invalidCertificate", ["8F4C"]),
    ("no pair", AUTHORITY.device(DEVICE, DS).certificate, "noCorrespondingKeyPairGenerated", ["8F4C"]),
]


@pytest.mark.parametrize("row", WRONG, ids=[row[0] for row in WRONG])
def test_a_wrong_certificate_has_its_code(kit: Kit, row: Any) -> None:
    _, certificate, code, events = row
    before = shown(kit, DS, 1)
    assert install(kit, certificate, 2) == code
    assert shown(kit, DS, 3) == before
    assert kit.codes() == events


@pytest.mark.parametrize("name", ["CS02c", "CS02e"])
def test_only_the_two_usages_of_a_device_exist(kit: Kit, name: str) -> None:
    assert kit.ask(name, {"key_usage": "keyCertSign"}) == {"response_code": "invalidKeyUsage"}


@pytest.mark.parametrize(
    ("name", "fault", "code"),
    [
        ("CS02c", Fault(), "certificationRequestProductionFailed"),
        ("CS02c", Fault(0, 2), "keyPairGenerationFailed"),
        ("CS02e", Fault(), "certificateRetrievalFailure"),
        ("CS02e", Fault(0, 2), "noCertificateHeld"),
    ],
)
def test_faults_have_their_codes(kit: Kit, name: str, fault: Fault, code: str) -> None:
    kit.application.command_fault = fault
    assert kit.ask(name, {"key_usage": "digitalSignature"}) == {"response_code": code}


@pytest.mark.parametrize(
    ("result", "code"), [(None, "certificateStorageFailed"), (7, "privateKeyChangeFailed")]
)
def test_a_failed_change_keeps_the_old_key(kit: Kit, result: int | None, code: str) -> None:
    before = shown(kit, DS, 1)
    new = AUTHORITY.certify_device(DEVICE, DS, requested(kit, DS, 2))
    kit.application.command_fault = Fault(0, result)
    assert install(kit, new, 3) == code
    assert shown(kit, DS, 4) == before
    assert install(kit, new, 5) == "success"


@pytest.mark.parametrize("step", range(1, 6))
def test_a_power_cut_while_a_key_changes_leaves_one_that_works(kit: Kit, steps: Steps, step: int) -> None:
    new = AUTHORITY.certify_device(DEVICE, DS, requested(kit, DS, 1))
    command = kit.command("CS02d", {"certificate": new.der.hex().upper()}, counter=2)
    steps.cut_at(step)
    with pytest.raises(PowerCut):
        kit.application.receive(command, kit.now)
    steps.cut_at(None)
    kit.power_cut()
    held = kit.application.keys.certificate(DS)
    assert held is not None
    assert kit.application.keys.ds.public == held.public_key
