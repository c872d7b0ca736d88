"""A test hierarchy, a way to forge certificates that break one rule each, the published data."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from smetslab.crypto import PrivateKey
from smetslab.errors import CertificateError
from smetslab.gbcs.codes import KeyUsage
from smetslab.ids import Eui64
from smetslab.pki import Authority, Certificate, Entry, KeyRing, load_zaz1_keystore, oids, parse_certificate
from smetslab.pki import template as write
from smetslab.pki.authority import DEFAULT_VALID_FROM
from smetslab.pki.names import DistinguishedName
from smetslab.pki.profile import NO_EXPIRY
from smetslab.rng import RootSeed

SUPPLIER = Eui64.parse("90B3D51F30010000")
METER = Eui64.parse("00DB1234567890A0")

Forge = Callable[..., Certificate]


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority(RootSeed(20))


@pytest.fixture(scope="session")
def ring(authority: Authority) -> KeyRing:
    """Everything of the hierarchy, with one meter."""
    return authority.keystore([METER])


@pytest.fixture(scope="session")
def key() -> PrivateKey:
    """A key that no certificate of the hierarchy has."""
    return PrivateKey.from_seed(b"k" * 32)


@pytest.fixture(scope="session")
def forge(authority: Authority, key: PrivateKey) -> Forge:
    """Issues a sound certificate for `key` but for what the arguments change.

    `instead` puts other extensions, or with None nothing, in the place of those of the same identifier;
    `extra` adds some; everything else replaces a field of the template.
    """

    def make(
        *,
        device: bool = False,
        issuer: Entry | None = None,
        issuer_key: PrivateKey | None = None,
        instead: Mapping[str, bytes | None] | None = None,
        extra: tuple[bytes, ...] = (),
        **changes: object,
    ) -> Certificate:
        by = issuer or (authority.device_issuing if device else authority.issuing)
        extensions: dict[str, bytes | None] = {
            oids.KEY_USAGE: write.key_usage(KeyUsage.DIGITAL_SIGNATURE),
            oids.SUBJECT_KEY_IDENTIFIER: write.subject_key_id(key.public),
            **({oids.SUBJECT_ALTERNATIVE_NAME: write.hardware_module_name(METER, "1.2.3")} if device else {}),
            oids.CERTIFICATE_POLICIES: write.policies(oids.ORGANISATION_POLICY),
            oids.AUTHORITY_KEY_IDENTIFIER: write.authority_key_id(by.certificate.public_key),
            **(instead or {}),
        }
        sound = write.Template(
            serial=0x7123456789ABCDEF0123456789ABCDEF,
            subject=DistinguishedName() if device else write.organisation_subject(SUPPLIER, 2, "TEST"),
            not_before=DEFAULT_VALID_FROM,
            not_after=NO_EXPIRY,
            extensions=(*(one for one in extensions.values() if one is not None), *extra),
        )
        template = replace(sound, **changes)  # type: ignore[arg-type]
        signer = issuer_key or by.private_key
        assert signer is not None
        return write.issue(template, key.public, by.certificate.subject, signer)

    return make


@pytest.fixture(scope="session")
def zaz1(keystore_json: Path) -> KeyRing:
    return load_zaz1_keystore(keystore_json)


@pytest.fixture(scope="session")
def rtds_folder(rtds: Path) -> Path:
    """The key store folder of the Reference Test Data Set."""
    return rtds / "keystore"


@pytest.fixture(scope="session")
def z1(rtds: Path) -> Certificate:
    """The issuing authority Z1: in no key store, but in the certificate path of CS02b commands."""
    name = "CS02bSupplierBySupplierHandover_6.21_SUCCESS_COMMAND_GBCS.HEX"
    message = bytes.fromhex("".join(next(rtds.rglob(name)).read_text().split()))
    for match in re.finditer(rb"\x30\x82", message):
        end = match.start() + 4 + int.from_bytes(message[match.start() + 2 : match.start() + 4], "big")
        try:
            found = parse_certificate(message[match.start() : end])
        except CertificateError:
            continue
        if found.subject.common_name == "Z1":
            return found
    pytest.fail(f"no certificate of Z1 in {name}")
