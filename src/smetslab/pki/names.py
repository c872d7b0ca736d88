"""X.500 names as they stand in a certificate, order and string types kept. Spec: RFC 5280 4.1.2.4, 7.1."""

from __future__ import annotations

import re
from dataclasses import dataclass

from smetslab.errors import CodecError
from smetslab.pki import der, oids

_TEXT_TAGS = frozenset({der.UTF8_STRING, der.PRINTABLE_STRING, 0x14, 0x16})  # also T61String, IA5String
_SHORT = {oids.COMMON_NAME: "CN", oids.ORGANISATIONAL_UNIT: "OU", oids.UNIQUE_IDENTIFIER: "uniqueIdentifier"}


@dataclass(frozen=True, slots=True)
class NameAttribute:
    """One attribute with the ASN.1 tag it was written in; `value` are the content octets."""

    oid: str
    tag: int
    value: bytes

    @property
    def text(self) -> str | None:
        """The value as text, None when it is of no string type or is no text."""
        if self.tag not in _TEXT_TAGS:
            return None
        try:
            return self.value.decode()
        except UnicodeDecodeError:
            return None

    def __str__(self) -> str:
        text = self.text
        shown = self.value.hex().upper() if text is None else text
        return f"{_SHORT.get(self.oid, self.oid)}={shown}"


@dataclass(frozen=True, slots=True)
class DistinguishedName:
    """A Name, its attributes in the order of the encoding (those of a set of several beside each other)."""

    attributes: tuple[NameAttribute, ...] = ()

    @classmethod
    def decode(cls, content: bytes) -> DistinguishedName:
        """Read the content octets of an RDNSequence. Raises CodecError."""
        attributes: list[NameAttribute] = []
        for relative in der.elements(content):
            for pair in der.elements(relative.content):
                parts = der.elements(pair.content)
                if len(parts) != 2 or parts[0].tag != der.OBJECT_IDENTIFIER:
                    raise CodecError("name attribute is no pair of type and value", found=pair.raw.hex())
                attributes.append(NameAttribute(der.dotted(parts[0].content), parts[1].tag, parts[1].content))
        return cls(tuple(attributes))

    def encode(self) -> bytes:
        """A Name with one attribute in each relative name."""
        return der.sequence(
            *(
                der.tlv(der.SET, der.sequence(der.object_identifier(a.oid), der.tlv(a.tag, a.value)))
                for a in self.attributes
            )
        )

    def values(self, oid: str) -> tuple[NameAttribute, ...]:
        return tuple(attribute for attribute in self.attributes if attribute.oid == oid)

    @property
    def common_name(self) -> str:
        """The text of the only common name, empty when there is none."""
        found = self.values(oids.COMMON_NAME)
        return (found[0].text or "") if len(found) == 1 else ""

    def matches(self, other: DistinguishedName) -> bool:
        """Same attributes in the same order; string type, case and surplus space do not count.

        Spec: RFC 5280 7.1.
        """
        return self._comparable() == other._comparable()

    def _comparable(self) -> tuple[tuple[str, str | bytes], ...]:
        return tuple(
            (a.oid, a.value if a.text is None else " ".join(a.text.casefold().split()))
            for a in self.attributes
        )

    @property
    def rfc2253(self) -> str:
        """The name as XML signatures write it: last attribute first, no spaces. Spec: RFC 2253 2."""
        return ",".join(
            f"{_SHORT.get(a.oid, a.oid)}={_escaped(a.text) if a.text is not None else '#' + a.value.hex()}"
            for a in reversed(self.attributes)
        )

    def __str__(self) -> str:
        return ", ".join(str(attribute) for attribute in self.attributes) or "(empty)"


def _escaped(text: str) -> str:
    """Spec: RFC 2253 2.4."""
    escaped = re.sub(r'([,+"\\<>;])', r"\\\1", text)
    if escaped[:1] in {" ", "#"}:
        escaped = "\\" + escaped
    if text.endswith(" ") and len(text) > 1:
        escaped = escaped[:-1] + "\\ "
    return escaped


def name(*attributes: tuple[str, str]) -> DistinguishedName:
    """A name of UTF8String attributes: `name((oids.ORGANISATIONAL_UNIT, "07"), (oids.COMMON_NAME, "Z1"))`."""
    return DistinguishedName(
        tuple(NameAttribute(oid, der.UTF8_STRING, text.encode()) for oid, text in attributes)
    )
