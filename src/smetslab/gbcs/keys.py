"""What messages ask the holder of keys, and the checks that its answers allow.

`KeyLookup` is the boundary: whoever holds keys and certificates answers by entity. A holder may have several
credentials for one party and use (generations, or two test worlds side by side), and a message does not say
which of them protected it: every one that may fit is tried.

Spec: GBCS 6.2.2, 6.4.5 (whose keys make a MAC), 7.2.7 (signature), 8.4 (encryption).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from smetslab.crypto import PrivateKey, PublicKey
from smetslab.errors import GbcsDecodeError, SecurityError
from smetslab.gbcs.codes import Cra, KeyUsage, RemotePartyRole
from smetslab.gbcs.dlms.apdu import AccessRequest, decode_apdu, is_dlms
from smetslab.gbcs.dlms.protection import sealed_octets
from smetslab.gbcs.gbz import components
from smetslab.gbcs.gbz.payload import decode_alert, decode_component, decode_components, is_gbz
from smetslab.gbcs.message import Message
from smetslab.gbcs.security import EncryptionContext, verify_mac, verify_signature
from smetslab.ids import Eui64

CheckOutcome = Literal["verified", "failed", "absent", "uncheckable"]
"""Outcome of checking a MAC or a signature; `uncheckable`: no key for it is at hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateNote:
    """What a certificate says, as far as messages need it. `text`: subject and serial number, for people."""

    entity: Eui64 | None
    usage: KeyUsage | None
    role: RemotePartyRole | None
    is_device: bool
    public_key: PublicKey
    text: str


class KeyLookup(Protocol):
    """Keys and certificates by entity. None and empty tuples mean: not at hand."""

    def certificates_of(self, entity: Eui64) -> tuple[CertificateNote, ...]:
        """Every certificate of a party or device that protects messages."""

    def read_certificate(self, der: bytes) -> CertificateNote:
        """What a certificate that a message carries says. Raises SecurityError for what is none."""

    def shared_secrets(self, first: Eui64, second: Eui64) -> tuple[bytes, ...]:
        """The key agreement secrets of two: one for each pair of credentials with a private key at hand."""

    def signing_key(self, entity: Eui64) -> PrivateKey | None:
        """The private key with which `entity` signs."""

    def entities(self, role: RemotePartyRole | None = None) -> tuple[Eui64, ...]:
        """Everybody who has a certificate, or whose certificates name `role`, in the order of the store."""


class NoKeys:
    """A holder of nothing."""

    def certificates_of(self, entity: Eui64) -> tuple[CertificateNote, ...]:
        del entity
        return ()

    def read_certificate(self, der: bytes) -> CertificateNote:
        raise SecurityError("certificate", f"{len(der)} octets that nobody here can read")

    def shared_secrets(self, first: Eui64, second: Eui64) -> tuple[bytes, ...]:
        del first, second
        return ()

    def signing_key(self, entity: Eui64) -> PrivateKey | None:
        del entity
        return None

    def entities(self, role: RemotePartyRole | None = None) -> tuple[Eui64, ...]:
        del role
        return ()


def role_of(entity: Eui64, keys: KeyLookup) -> RemotePartyRole | None:
    """The role that the certificates of a remote party name."""
    return next((note.role for note in keys.certificates_of(entity) if note.role is not None), None)


def verification_keys(entity: Eui64, keys: KeyLookup) -> tuple[PublicKey, ...]:
    """The keys that may verify signatures of `entity`."""
    notes = keys.certificates_of(entity)
    return tuple([note.public_key for note in notes if note.usage is KeyUsage.DIGITAL_SIGNATURE])


def mac_secrets(message: Message, keys: KeyLookup) -> tuple[bytes, ...]:
    """The secrets that may have made the MAC of `message`.

    Of a command the ACB's and the target's, or those of two devices that talk to each other.
    """
    originator, target = message.business_originator_id, message.business_target_id
    if message.cra is not Cra.COMMAND or any([note.is_device for note in keys.certificates_of(originator)]):
        return keys.shared_secrets(originator, target)
    brokers = keys.entities(RemotePartyRole.ACCESS_CONTROL_BROKER)
    return tuple([secret for broker in brokers for secret in keys.shared_secrets(target, broker)])


def check_mac(message: Message, keys: KeyLookup) -> CheckOutcome:
    """Try the secrets that may have made the MAC of `message`."""
    if message.message_mac is None:
        return "absent"
    secrets = mac_secrets(message, keys)
    if any(verify_mac(message, secret) for secret in secrets):
        return "verified"
    return "failed" if secrets else "uncheckable"


def check_signature(message: Message, keys: KeyLookup) -> CheckOutcome:
    """Try the signing certificates of the originator of `message`."""
    if not message.signature:
        return "absent"
    certified = verification_keys(message.business_originator_id, keys)
    if any(verify_signature(message, key) for key in certified):
        return "verified"
    return "failed" if certified else "uncheckable"


def content_secrets(message: Message, keys: KeyLookup) -> tuple[bytes, ...]:
    """The secrets that may protect content of `message`."""
    context = EncryptionContext.of(message)
    return keys.shared_secrets(context.device, context.recipient)


def sealed_parts(message: Message) -> tuple[bytes, ...]:
    """Every protected part of the content of a response or alert, whatever its use case, in order.

    Raises GbcsDecodeError when the content cannot be followed.
    """
    if message.cra is Cra.COMMAND:
        return ()
    if is_dlms(message.content):
        apdu = decode_apdu(message.content)
        return () if isinstance(apdu, AccessRequest) else sealed_octets(apdu, message)
    if not is_gbz(message.content):
        return ()
    if message.cra is not Cra.ALERT:
        return components.sealed_octets(decode_components(message.content))
    extra = decode_alert(message.content).extra
    try:
        return components.sealed_octets((decode_component(extra),))
    except GbcsDecodeError:  # most alerts add something else than a component
        return ()


def opening_secret(message: Message, keys: KeyLookup) -> bytes | None:
    """The secret that opens what is protected in `message`; None when nothing is, or no key is at hand.

    Raises GbcsDecodeError when the content cannot be followed, SecurityError when there are keys and none of
    them fits.
    """
    sealed = sealed_parts(message)
    secrets = content_secrets(message, keys) if sealed else ()
    context = EncryptionContext.of(message)
    for secret in secrets:
        try:
            context.decrypt(secret, sealed[0])
        except (SecurityError, GbcsDecodeError):
            continue
        return secret
    if secrets:
        raise SecurityError(
            "decryption",
            f"no key shared by {context.device} and {context.recipient} opens the protected content",
            spec="GBCS 8.4",
        )
    return None
