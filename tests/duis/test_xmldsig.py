"""XML signatures: made here and judged by another library, the other way round, and every way to cheat."""

from __future__ import annotations

import re
from typing import Any

import pytest
from lxml import etree
from signxml import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConfiguration,
    SignatureConstructionMethod,
    SignatureMethod,
    XMLSigner,
    XMLVerifier,
)
from signxml.exceptions import InvalidDigest, InvalidSignature

from smetslab.crypto import PrivateKey
from smetslab.duis.xmldsig import parse_tree, read_signature, sign_document
from smetslab.errors import DuisError, SecurityError
from smetslab.gbcs.codes import KeyUsage
from smetslab.ids import Eui64
from smetslab.pki import Authority, Entry
from smetslab.rng import RootSeed

SUPPLIER = Eui64.parse("90B3D51F30010000")
UNSIGNED = (
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b'<sr:Request xmlns:sr="http://www.dccinterface.co.uk/ServiceUserGateway" '
    b'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" schemaVersion="5.1">'
    b"<sr:Header><sr:RequestID>A:B:1</sr:RequestID></sr:Header>"
    b"<sr:Body><sr:Text>caf\xc3\xa9 &amp; &lt;3 &#13;</sr:Text><sr:Empty/></sr:Body></sr:Request>"
)


@pytest.fixture(scope="module")
def signer() -> Entry:
    return Authority(RootSeed(3)).organisation(SUPPLIER, 0x87, KeyUsage.DIGITAL_SIGNATURE)


@pytest.fixture(scope="module")
def signed(signer: Entry) -> bytes:
    return _sign(UNSIGNED, signer)


def _sign(document: bytes, signer: Entry) -> bytes:
    assert signer.private_key is not None
    return sign_document(
        document, key=signer.private_key, issuer_name="CN=Z1,OU=07", serial=signer.certificate.serial
    )


def _verify(document: bytes, signer: Entry) -> None:
    read_signature(parse_tree(document)).verify(signer.certificate.public_key)


def _judge(document: bytes, signer: Entry) -> None:
    """The other library, told what the profile leaves unsaid."""
    XMLVerifier().verify(
        document,
        x509_cert=signer.certificate.to_pem().decode(),
        expect_config=SignatureConfiguration(
            signature_methods=frozenset({SignatureMethod.ECDSA_SHA256}),
            digest_algorithms=frozenset({DigestAlgorithm.SHA256}),
            default_reference_c14n_method=CanonicalizationMethod.CANONICAL_XML_1_0,
        ),
    )


def test_another_library_accepts_what_we_sign(signed: bytes, signer: Entry) -> None:
    _judge(signed, signer)
    with pytest.raises(InvalidDigest):
        _judge(signed.replace(b"A:B:1", b"A:B:2"), signer)
    with pytest.raises(InvalidSignature):
        _judge(_sign(UNSIGNED.replace(b"A:B:1", b"A:B:2"), signer).replace(b":2", b":1"), signer)


def test_we_accept_what_another_library_signs(signer: Entry) -> None:
    assert signer.private_key is not None
    made: Any = XMLSigner(
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm=SignatureMethod.ECDSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    ).sign(
        # Without the unused namespace, inclusive and exclusive form are the same.
        etree.fromstring(UNSIGNED.replace(b'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ', b"")),
        key=signer.private_key.to_pem(),
        key_info=_key_info(signer.certificate.serial),
        exclude_c14n_transform_element=True,
    )
    document = etree.tostring(made)
    signature = read_signature(parse_tree(document))
    assert (signature.issuer_name, signature.serial) == ("CN=Z1,OU=07", signer.certificate.serial)
    signature.verify(signer.certificate.public_key)


def _key_info(serial: int) -> Any:
    return etree.fromstring(
        '<ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509IssuerSerial>'
        f"<ds:X509IssuerName>CN=Z1,OU=07</ds:X509IssuerName><ds:X509SerialNumber>{serial}"
        "</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data></ds:KeyInfo>"
    )


def test_signature_depends_on_the_document_and_the_key_alone(signed: bytes, signer: Entry) -> None:
    assert _sign(UNSIGNED, signer) == signed
    assert signed.startswith(UNSIGNED.removesuffix(b"</sr:Request>"))
    _verify(signed, signer)


def test_form_that_does_not_count_does_not_count(signed: bytes, signer: Entry) -> None:
    """White space between elements, comments, and line breaks inside the value."""
    pretty = re.sub(rb"(?<![\"?])><", b">\r\n  <", signed).replace(
        b"<sr:Empty></sr:Empty>", b"<!-- empty --><sr:Empty/>"
    )
    assert pretty != signed
    wrapped = re.sub(rb"(<ds:SignatureValue>.{40})", rb"\1&#13;\n", pretty)
    assert wrapped != pretty
    _verify(wrapped, signer)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"A:B:1", b"A:B:2", "the digest is not that of the document"),
        (b"caf\xc3\xa9", b"cafe", "the digest is not that of the document"),
        (b' schemaVersion="5.1"', b' schemaVersion="5.4"', "the digest is not that of the document"),
        (b'URI=""', b'URI="#x"', "not to the whole document"),
        (b'URI=""', b'URI="" Type="t"', "not to the whole document"),
        (b"xmlenc#sha256", b"xmlenc#sha512", "DigestMethod is"),
        (b"xmldsig-more#ecdsa-sha256", b"xmldsig-more#rsa-sha256", "SignatureMethod is"),
        (b"2001/10/xml-exc-c14n#", b"TR/2001/REC-xml-c14n-20010315", "CanonicalizationMethod is"),
        (b"xmldsig#enveloped-signature", b"xmldsig#base64", "Transform is"),
        (b"<ds:DigestValue>", b"<ds:DigestValue>!", "DigestValue is not base64"),
        (b"<ds:SignatureValue>", b"<ds:SignatureValue>AAAA", "expected 64"),
        (b"<ds:X509SerialNumber>", b"<ds:X509SerialNumber>-", "no decimal number"),
        (b"<ds:X509SerialNumber>", b"<ds:X509SerialNumber>" + b"1" * 50, "no decimal number"),
        (b"<ds:KeyInfo>", b"<ds:KeyInfo><ds:KeyName>k</ds:KeyName>", "KeyInfo does not hold exactly"),
        (
            b"</ds:Reference>",
            b'</ds:Reference><ds:Reference URI=""/>',
            "SignedInfo does not hold exactly",
        ),
        (b"</ds:Transforms>", b"<ds:Transform/></ds:Transforms>", "Transforms does not hold exactly"),
    ],
)
def test_what_is_not_the_profile_or_the_document_is_refused(
    signed: bytes, signer: Entry, old: bytes, new: bytes, reason: str
) -> None:
    assert old in signed
    with pytest.raises(SecurityError, match=reason):
        _verify(signed.replace(old, new, 1), signer)


def test_unsigned_wrapped_and_twice_signed_documents_are_refused(signed: bytes, signer: Entry) -> None:
    with pytest.raises(SecurityError, match="there is none"):
        _verify(UNSIGNED, signer)
    signature = signed[signed.index(b"<ds:Signature ") : signed.index(b"</sr:Request>")]
    moved = signed.replace(signature, b"").replace(b"<sr:Body>", b"<sr:Body>" + signature)
    behind = signed.replace(b"</sr:Request>", b"<sr:More/></sr:Request>")
    twice = signed.replace(signature, signature + signature)
    for cheat in (moved, behind, twice):
        with pytest.raises(SecurityError, match="not exactly one"):
            _verify(cheat, signer)


def test_key_of_another_party_is_refused(signed: bytes, signer: Entry) -> None:
    other = Authority(RootSeed(4)).organisation(SUPPLIER, 0x87, KeyUsage.DIGITAL_SIGNATURE)
    with pytest.raises(SecurityError, match="not made with the key"):
        _verify(signed, other)


def test_only_compact_unsigned_documents_are_signed(signed: bytes, signer: Entry) -> None:
    key = PrivateKey.from_seed(bytes(32))
    for document, reason in (
        (signed, "signed already"),
        (b"<a/>", "no content"),
        (b"<a>", "not well-formed"),
    ):
        with pytest.raises(DuisError, match=reason):
            sign_document(document, key=key, issuer_name="CN=a", serial=1)
    named = sign_document(UNSIGNED, key=key, issuer_name="CN=a & <b>", serial=1)
    assert read_signature(parse_tree(named)).issuer_name == "CN=a & <b>"
