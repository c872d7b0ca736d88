"""Which keys of a key ring prove a message: every credential that may fit is tried, none chosen beforehand.

A key ring may hold several credentials for one party and use (generations, or two test worlds side by side),
and a message does not say which of them protected it.

Spec: GBCS 6.2.2, 6.4.5 (whose keys make a MAC), 7.2.7 (signature), 8.4 (encryption).
"""

from __future__ import annotations

from collections.abc import Iterable

from smetslab.crypto import SharedSecrets
from smetslab.errors import GbcsDecodeError, SecurityError
from smetslab.gbcs.codes import Cra, KeyUsage, RemotePartyRole
from smetslab.gbcs.dlms.apdu import AccessRequest, decode_apdu
from smetslab.gbcs.dlms.protection import sealed_octets
from smetslab.gbcs.message import Message
from smetslab.gbcs.report import Check
from smetslab.gbcs.security import EncryptionContext, verify_mac, verify_signature
from smetslab.ids import Eui64
from smetslab.pki import CertificateKind, Entry, KeyRing


class MessageKeys:
    """Checks messages against a key ring. Keeps the shared secret of each pair of keys."""

    def __init__(self, ring: KeyRing) -> None:
        self.ring = ring
        self._shared = SharedSecrets()
        self._by_pair: dict[tuple[Eui64, Eui64], tuple[bytes, ...]] = {}
        self._brokers = tuple(
            dict.fromkeys(
                entry.certificate.entity_id
                for entry in ring.entries
                if entry.certificate.role is RemotePartyRole.ACCESS_CONTROL_BROKER
                and entry.certificate.entity_id is not None
            )
        )

    def check_mac(self, message: Message) -> Check:
        """Try the pairs of keys that may have made the MAC of `message`."""
        if message.message_mac is None:
            return "absent"
        secrets = self._mac_secrets(message)
        if any(verify_mac(message, secret) for secret in secrets):
            return "verified"
        return "failed" if secrets else "uncheckable"

    def check_signature(self, message: Message) -> Check:
        """Try the signing certificates of the originator of `message`."""
        if not message.signature:
            return "absent"
        entries = self.ring.candidates(message.business_originator_id, KeyUsage.DIGITAL_SIGNATURE)
        if any(verify_signature(message, entry.certificate.public_key) for entry in entries):
            return "verified"
        return "failed" if entries else "uncheckable"

    def opening_secret(self, message: Message) -> bytes | None:
        """The secret that opens what is protected in `message`, None when none is at hand or none fits."""
        try:
            apdu = decode_apdu(message.content)
            sealed = () if isinstance(apdu, AccessRequest) else sealed_octets(apdu, message)
            return self.open(message, sealed[0]) if sealed else None
        except (GbcsDecodeError, SecurityError):
            return None

    def open(self, message: Message, sealed: bytes) -> bytes | None:
        """The secret that opens protected content of `message`; None when no pair of keys is at hand.

        Raises SecurityError when there are keys and none of them fits.
        """
        context = EncryptionContext.of(message)
        secrets = self.secrets(context.device, context.recipient)
        for secret in secrets:
            try:
                context.decrypt(secret, sealed)
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

    def secrets(self, device: Eui64, party: Eui64) -> tuple[bytes, ...]:
        """The shared secrets of the two: one for each pair of credentials with a private key at hand."""
        pair = (device, party)
        found = self._by_pair.get(pair)
        if found is None:
            found = self._by_pair[pair] = tuple(self._agreements(device, party))
        return found

    def _agreements(self, device: Eui64, party: Eui64) -> Iterable[bytes]:
        for ours in self._agreement_entries(device):
            for theirs in self._agreement_entries(party):
                if ours.private_key is not None:
                    yield self._shared.get(ours.private_key, theirs.certificate.public_key)
                elif theirs.private_key is not None:
                    yield self._shared.get(theirs.private_key, ours.certificate.public_key)

    def _agreement_entries(self, entity: Eui64) -> tuple[Entry, ...]:
        return self.ring.candidates(entity, KeyUsage.KEY_AGREEMENT)

    def _mac_secrets(self, message: Message) -> tuple[bytes, ...]:
        """Of a command the ACB's and the target's, or those of two devices that talk to each other."""
        originator, target = message.business_originator_id, message.business_target_id
        if message.cra is not Cra.COMMAND or self._is_device(originator):
            return self.secrets(originator, target)
        return tuple(secret for broker in self._brokers for secret in self.secrets(target, broker))

    def _is_device(self, entity: Eui64) -> bool:
        entries = self._agreement_entries(entity)
        return any(entry.certificate.kind is CertificateKind.DEVICE for entry in entries)
