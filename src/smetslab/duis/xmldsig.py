"""XML signatures in the one profile that DUIS uses: made, and judged, without a general XML-DSig engine.

The profile is narrow, and whatever stands outside of it is refused: one enveloped `ds:Signature` as the last
child of the root, one reference to the whole document (`URI=""`) with the enveloped-signature transform and
nothing else, SHA-256, ECDSA on P-256 with the raw value r|s, SignedInfo in exclusive canonical form. Because
the reference lists no canonicalisation, its digest is over the *inclusive* canonical form of the document
without the signature. KeyInfo names the certificate by issuer and serial number and carries none.

White space between elements, comments and the choice of prefixes do not count, because the published tools
drop or ignore them. Documents come here through `smetslab.duis.element`, which refuses document types.

Spec: XML Signature Syntax and Processing 1.1; Canonical XML 1.0; Exclusive XML Canonicalization 1.0; DUIS
signature profile (published signing tool and sample responses).
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Final

from lxml import etree

from smetslab.crypto import SIGNATURE_BYTES, PrivateKey, PublicKey, equal, sha256
from smetslab.duis.element import SIGNATURE_NAMESPACE
from smetslab.duis.limits import MAX_DOCUMENT_BYTES, MAX_NUMBER_DIGITS
from smetslab.errors import DuisError, SecurityError

CHECK: Final = "XML signature"

EXCLUSIVE: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
ECDSA_SHA256: Final = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
ENVELOPED: Final = f"{SIGNATURE_NAMESPACE}enveloped-signature"
SHA256: Final = "http://www.w3.org/2001/04/xmlenc#sha256"

_SPEC: Final = "DUIS signature profile"
_SIGNED_INFO: Final = (
    f'<ds:SignedInfo xmlns:ds="{SIGNATURE_NAMESPACE}">'
    f'<ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}"></ds:CanonicalizationMethod>'
    f'<ds:SignatureMethod Algorithm="{ECDSA_SHA256}"></ds:SignatureMethod>'
    '<ds:Reference URI=""><ds:Transforms>'
    f'<ds:Transform Algorithm="{ENVELOPED}"></ds:Transform></ds:Transforms>'
    f'<ds:DigestMethod Algorithm="{SHA256}"></ds:DigestMethod>'
    "<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
)
"""SignedInfo in exclusive canonical form: what is signed, and also what is sent."""


def parse_tree(data: bytes, *, limit: int = MAX_DOCUMENT_BYTES) -> etree._Element:
    """The document as an lxml tree without comments and white space between elements.

    `data` must have passed `smetslab.duis.element.parse_document`, so nothing in it expands or nests. Raises
    DuisError.
    """
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_blank_text=True,
        remove_comments=True,
        huge_tree=limit > MAX_DOCUMENT_BYTES,
    )
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise DuisError(f"not well-formed XML: {error.msg}", path="document") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class XmlSignature:
    """A signature that keeps the profile and whose digest is that of the document; who made it is not known
    before `verify`.

    `issuer_name` is as written, and not to be relied on: published tools look up the serial number alone.
    """

    issuer_name: str
    serial: int
    value: bytes
    signed_info: bytes

    def verify(self, public_key: PublicKey) -> None:
        """Raises SecurityError when the signature is not one of this key over this document."""
        if not public_key.verify(self.value, self.signed_info):
            raise SecurityError(CHECK, "not made with the key of the named certificate", spec=_SPEC)


def read_signature(tree: etree._Element) -> XmlSignature:
    """The signature of a document, digest checked. `tree` comes from `parse_tree` and loses its signature.

    Raises SecurityError when there is none, more than one, one outside of the profile, or one of another
    document.
    """
    found = list(tree.iter(_ds("Signature")))
    if not found:
        raise SecurityError(CHECK, "there is none", spec=_SPEC)
    signature = tree[-1]
    if len(found) > 1 or signature is not found[0]:
        raise SecurityError(CHECK, "not exactly one, as the last element of the document", spec=_SPEC)
    signed_info, value, key_info = _children(signature, "SignedInfo", "SignatureValue", "KeyInfo")
    digest = _reference_digest(signed_info)
    issuer, serial = _key_name(key_info)
    octets = _octets(value)
    if len(octets) != SIGNATURE_BYTES:
        raise SecurityError(
            CHECK, f"value of {len(octets)} octets, expected {SIGNATURE_BYTES}: r and s", spec=_SPEC
        )
    canonical = etree.tostring(signed_info, method="c14n", exclusive=True, with_comments=False)
    if not equal(digest, _digest_without(tree, signature)):
        raise SecurityError(CHECK, "the digest is not that of the document", spec=_SPEC)
    return XmlSignature(issuer_name=issuer, serial=serial, value=octets, signed_info=canonical)


def sign_document(document: bytes, *, key: PrivateKey, issuer_name: str, serial: int) -> bytes:
    """`document`, which must be a compact one without signature, with the signature of `key` in it.

    `issuer_name` and `serial` name the certificate of the key. The signature depends on document and key
    alone. Raises DuisError when the document is none, or signed already.
    """
    tree = parse_tree(document, limit=len(document))
    if tree.find(_ds("Signature")) is not None:
        raise DuisError("the document is signed already", path="document")
    end = document.rfind(b"</")
    if end < 0:
        raise DuisError("the document has no content", path="document")
    signed_info = _SIGNED_INFO.format(digest=b64encode(_digest(tree)).decode("ascii")).encode()
    value = b64encode(key.sign(signed_info)).decode("ascii")
    issuer = issuer_name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    signature = (
        f'<ds:Signature xmlns:ds="{SIGNATURE_NAMESPACE}">{signed_info.decode()}'
        f"<ds:SignatureValue>{value}</ds:SignatureValue>"
        f"<ds:KeyInfo><ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>{issuer}</ds:X509IssuerName>"
        f"<ds:X509SerialNumber>{serial}</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data></ds:KeyInfo>"
        "</ds:Signature>"
    )
    return document[:end] + signature.encode() + document[end:]


def _ds(name: str) -> str:
    return f"{{{SIGNATURE_NAMESPACE}}}{name}"


def _digest_without(tree: etree._Element, signature: etree._Element) -> bytes:
    tree.remove(signature)
    return _digest(tree)


def _digest(tree: etree._Element) -> bytes:
    return sha256(etree.tostring(tree.getroottree(), method="c14n", exclusive=False, with_comments=False))


def _reference_digest(signed_info: etree._Element) -> bytes:
    """The digest that SignedInfo gives for the document; every algorithm is the one of the profile."""
    canonicalisation, method, reference = _children(
        signed_info, "CanonicalizationMethod", "SignatureMethod", "Reference"
    )
    _algorithm(canonicalisation, EXCLUSIVE)
    _algorithm(method, ECDSA_SHA256)
    if reference.items() != [("URI", "")]:
        raise SecurityError(CHECK, "its reference is not to the whole document", spec=_SPEC)
    transforms, digest_method, digest = _children(reference, "Transforms", "DigestMethod", "DigestValue")
    (transform,) = _children(transforms, "Transform")
    _algorithm(transform, ENVELOPED)
    _algorithm(digest_method, SHA256)
    return _octets(digest)


def _key_name(key_info: etree._Element) -> tuple[str, int]:
    (data,) = _children(key_info, "X509Data")
    (issuer_serial,) = _children(data, "X509IssuerSerial")
    issuer, serial = _children(issuer_serial, "X509IssuerName", "X509SerialNumber")
    number = (serial.text or "").strip()
    if not (number.isascii() and number.isdecimal() and len(number) <= MAX_NUMBER_DIGITS):
        raise SecurityError(CHECK, "X509SerialNumber is no decimal number", spec=_SPEC)
    return issuer.text or "", int(number)


def _children(element: etree._Element, *names: str) -> list[etree._Element]:
    """The children of an element, which must be these and no others."""
    children = list(element)
    if [child.tag for child in children] != [_ds(name) for name in names]:
        local = etree.QName(element).localname
        raise SecurityError(CHECK, f"{local} does not hold exactly {', '.join(names)}", spec=_SPEC)
    return children


def _algorithm(element: etree._Element, expected: str) -> None:
    if element.items() != [("Algorithm", expected)] or len(element):
        local = etree.QName(element).localname
        raise SecurityError(
            CHECK, f"{local} is {element.get('Algorithm', 'missing')!r}, expected {expected!r}", spec=_SPEC
        )


def _octets(element: etree._Element) -> bytes:
    try:
        return b64decode("".join((element.text or "").split()), validate=True)
    except (binascii.Error, ValueError) as error:
        local = etree.QName(element).localname
        raise SecurityError(CHECK, f"{local} is not base64", spec=_SPEC) from error
