"""Implicit certificates of the two cryptographic suites: octets, issue, and the public key in them.

The issuer's side makes a test authority of our own; what it issues is for tests.

Spec: ZSE 1.4 C.4 (suite 1), C.5 (suite 2); SEC 4 2.4, 2.5 (ECQV)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

from smetslab.crypto import aes_mmo
from smetslab.errors import SecurityError, ZigbeeDecodeError
from smetslab.ids import Eui64
from smetslab.wire import Reader
from smetslab.zigbee.cbke.curve import SECT163K1, SECT283K1, KoblitzCurve, Point

SMART_ENERGY_PROFILE_ID = 0x0109
KEY_USAGE_AGREEMENT_AND_SIGNATURE = 0x88
NO_END = 0xFFFFFFFF
"""`lifetime_s` of a certificate that does not run out."""

_TYPE, _CURVE, _HASH = 0x00, 0x0D, 0x08


@dataclass(frozen=True, slots=True, kw_only=True)
class ImplicitCertificate(ABC):
    """What both forms hold: whose it is, who issued it, and the point from which the public key follows."""

    curve: ClassVar[KoblitzCurve]
    octets: ClassVar[int]
    subject: Eui64
    issuer: Eui64
    reconstruction_point: bytes

    @abstractmethod
    def encode(self) -> bytes:
        """The certificate as `octets` octets."""

    @classmethod
    @abstractmethod
    def decode(cls, data: bytes) -> Self:
        """Raises ZigbeeDecodeError when the octets are no certificate of this form."""

    def public_key(self, issuer_key: Point) -> Point:
        """The subject's public key, given the issuer's. Raises SecurityError when none can follow.

        Spec: SEC 4 2.5
        """
        curve = self.curve
        point = curve.decompress(self.reconstruction_point)
        if not curve.in_subgroup(point):
            raise SecurityError("certificate", "the reconstruction point has a wrong order", spec="SEC 4 2.5")
        key = curve.add(curve.multiply(self._hash(), point), issuer_key)
        if key is None:
            raise SecurityError("certificate", "no public key follows from it", spec="SEC 4 2.5")
        return key

    def _hash(self) -> int:
        return int.from_bytes(aes_mmo(self.encode()), "big")


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateSuite1(ImplicitCertificate):
    """48 octets. `attributes`: 8 octets after the profile id, the authority's own. Spec: ZSE 1.4 C.4.2.2."""

    curve: ClassVar[KoblitzCurve] = SECT163K1
    octets: ClassVar[int] = 48
    profile: int = SMART_ENERGY_PROFILE_ID
    attributes: bytes = bytes(8)

    def encode(self) -> bytes:
        return b"".join(
            (
                self.reconstruction_point,
                self.subject.raw,
                self.issuer.raw,
                self.profile.to_bytes(2, "big"),
                self.attributes,
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        reader = Reader(data, error=ZigbeeDecodeError)
        certificate = cls(
            reconstruction_point=reader.take(SECT163K1.point_octets, "reconstruction point"),
            subject=Eui64(reader.take(8, "subject")),
            issuer=Eui64(reader.take(8, "issuer")),
            profile=reader.unsigned(2, "profile id"),
            attributes=reader.take(8, "attributes"),
        )
        reader.finish("certificate")
        return certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateSuite2(ImplicitCertificate):
    """74 octets. `valid_from_s`: Unix time; `lifetime_s`: seconds from there. Spec: ZSE 1.4 C.5.2.2."""

    curve: ClassVar[KoblitzCurve] = SECT283K1
    octets: ClassVar[int] = 74
    serial: bytes
    valid_from_s: int
    lifetime_s: int = NO_END
    key_usage: int = KEY_USAGE_AGREEMENT_AND_SIGNATURE

    def encode(self) -> bytes:
        return b"".join(
            (
                bytes((_TYPE,)),
                self.serial,
                bytes((_CURVE, _HASH)),
                self.issuer.raw,
                self.valid_from_s.to_bytes(5, "big"),
                self.lifetime_s.to_bytes(4, "big"),
                self.subject.raw,
                bytes((self.key_usage,)),
                self.reconstruction_point,
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        reader = Reader(data, error=ZigbeeDecodeError)
        spec = "ZSE 1.4 C.5.2.2"
        reader.expect(bytes((_TYPE,)), "certificate type", spec)
        serial = reader.take(8, "serial number")
        reader.expect(bytes((_CURVE,)), "curve", spec)
        reader.expect(bytes((_HASH,)), "hash", spec)
        certificate = cls(
            serial=serial,
            issuer=Eui64(reader.take(8, "issuer")),
            valid_from_s=reader.unsigned(5, "valid from"),
            lifetime_s=reader.unsigned(4, "lifetime"),
            subject=Eui64(reader.take(8, "subject")),
            key_usage=reader.u8("key usage"),
            reconstruction_point=reader.take(SECT283K1.point_octets, "reconstruction point"),
        )
        reader.finish("certificate")
        return certificate

    def valid_at(self, unix_s: int) -> bool:
        """Whether the certificate holds at a Unix time, in seconds."""
        if unix_s < self.valid_from_s:
            return False
        return self.lifetime_s == NO_END or unix_s <= self.valid_from_s + self.lifetime_s


@dataclass(frozen=True, slots=True)
class KeyEstablishmentKey:
    """A device's certificate with the private key that belongs to it. Shows nothing of the key."""

    certificate: ImplicitCertificate
    private: int
    issuer_key: Point

    def __repr__(self) -> str:
        return f"KeyEstablishmentKey({self.certificate.subject}, {self.certificate.curve.name})"


class CertificateAuthority:
    """A test authority: issues implicit certificates. Every scalar is given, so runs can be repeated.

    Spec: SEC 4 2.4
    """

    def __init__(self, *, name: Eui64, curve: KoblitzCurve, private: int) -> None:
        """`name`: the issuer's identifier; `private`: any integer, taken modulo the order of the curve."""
        self.name = name
        self.curve = curve
        self._private = 1 + private % (curve.order - 1)
        public = curve.multiply(self._private, curve.generator)
        if public is None:
            raise AssertionError("a scalar below the order cannot lead to infinity")
        self.public = public

    def issue_suite_1(
        self, subject: Eui64, *, device_scalar: int, authority_scalar: int
    ) -> KeyEstablishmentKey:
        """A suite 1 certificate and its private key; the scalars are the random numbers of the two sides."""
        device, own = self._scalars(device_scalar, authority_scalar)
        certificate = CertificateSuite1(
            subject=subject, issuer=self.name, reconstruction_point=self._reconstruction(device, own)
        )
        return self._finish(certificate, device, own)

    def issue_suite_2(
        self,
        subject: Eui64,
        *,
        serial: bytes,
        valid_from_s: int,
        device_scalar: int,
        authority_scalar: int,
        lifetime_s: int = NO_END,
    ) -> KeyEstablishmentKey:
        """A suite 2 certificate and its private key. `serial`: 8 octets; `valid_from_s`: Unix time."""
        device, own = self._scalars(device_scalar, authority_scalar)
        certificate = CertificateSuite2(
            subject=subject,
            issuer=self.name,
            serial=serial,
            valid_from_s=valid_from_s,
            lifetime_s=lifetime_s,
            reconstruction_point=self._reconstruction(device, own),
        )
        return self._finish(certificate, device, own)

    def _scalars(self, *given: int) -> tuple[int, ...]:
        return tuple(1 + scalar % (self.curve.order - 1) for scalar in given)

    def _reconstruction(self, device: int, own: int) -> bytes:
        """The device's point plus the authority's: together the sum of both scalars."""
        point = self.curve.multiply(device + own, self.curve.generator)
        if point is None:
            raise SecurityError("certificate", "the random numbers cancel out: take others", spec="SEC 4 2.4")
        return self.curve.compress(point)

    def _finish(self, certificate: ImplicitCertificate, device: int, own: int) -> KeyEstablishmentKey:
        order = self.curve.order
        digest = int.from_bytes(aes_mmo(certificate.encode()), "big")
        contribution = (digest * own + self._private) % order
        private = (digest * device + contribution) % order
        return KeyEstablishmentKey(certificate, private, self.public)
