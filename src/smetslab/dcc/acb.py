"""The access control broker: the MAC on every command, and the checks of what devices send.

Spec: GBCS 6.2.2 (a command is MACed by the access control broker, whoever originates it), 6.4.5, 5.3.
"""

from __future__ import annotations

from smetslab.crypto import PublicKey, SharedSecrets
from smetslab.errors import CertificateError, SecurityError
from smetslab.gbcs.codes import KeyUsage
from smetslab.gbcs.message import Message
from smetslab.gbcs.security import verify_mac, verify_signature, with_mac, with_signature
from smetslab.ids import Eui64
from smetslab.pki import KeyStore

_SPEC = "GBCS 5.3, 6.2.2"


class AccessControlBroker:
    """Holds the broker's key agreement key; certificates of devices come from the key store."""

    def __init__(self, identity: Eui64, keystore: KeyStore) -> None:
        """Raises CertificateError when the key store does not hold the broker's own private key."""
        self.identity = identity
        self._keystore = keystore
        self._key = keystore.private_key(identity, KeyUsage.KEY_AGREEMENT)
        self._secrets = SharedSecrets()

    def secret(self, device: Eui64) -> bytes:
        """The shared secret with a device. Raises CertificateError when the device has no certificate
        here.
        """
        certificate = self._keystore.find(device, KeyUsage.KEY_AGREEMENT).certificate
        return self._secrets.get(self._key, certificate.public_key)

    def certificates(self) -> tuple[bytes, bytes]:
        """The broker's own certificates, digital signature and key agreement, in DER. Raises
        CertificateError when one is missing.
        """
        uses = (KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT)
        signing, agreement = (self._keystore.find(self.identity, usage).certificate.der for usage in uses)
        return signing, agreement

    def protect(self, message: Message) -> Message:
        """`message` with the MAC that its target will check; a missing signature part becomes an empty
        one.
        """
        return with_mac(message, self.secret(message.business_target_id))

    def sign(self, message: Message) -> Message:
        """`message` signed by its originator, a party of the DCC: broker, transitional change of supplier,
        recovery. Raises CertificateError when its private key is not here.
        """
        key = self._keystore.private_key(message.business_originator_id, KeyUsage.DIGITAL_SIGNATURE)
        return with_signature(message, key)

    def key_agreement_certificate(self, device: Eui64) -> bytes | None:
        """The key agreement certificate of a device, DER, None when there is none."""
        try:
            return self._keystore.find(device, KeyUsage.KEY_AGREEMENT).certificate.der
        except CertificateError:
            return None

    def signing_key(self, party: Eui64) -> PublicKey:
        """The public digital signature key of a user or device. Raises CertificateError when there is
        none.
        """
        return self._keystore.find(party, KeyUsage.DIGITAL_SIGNATURE).certificate.public_key

    def require_signature(self, message: Message) -> None:
        """Raises SecurityError unless the originator of `message` signed it."""
        if not verify_signature(message, self.signing_key(message.business_originator_id)):
            raise SecurityError("signature", "not that of the originator", spec="GBCS 7.2.7")

    def check_from_device(self, message: Message, *, critical: bool | None) -> bool:
        """Check the protection of a response or alert; the result tells whether there was anything to check.

        What is MACed for a user is between the device and that user. `critical` is None where the use
        case is not known: then the message itself says how it is protected. Raises SecurityError.
        """
        signed = bool(message.signature)
        if signed == (message.message_mac is not None) or (critical is not None and critical != signed):
            raise SecurityError("protection", "not the protection of this kind of message", spec=_SPEC)
        if signed:
            self.require_signature(message)
            return True
        if message.business_target_id != self.identity:
            return False
        if not verify_mac(message, self.secret(message.business_originator_id)):
            raise SecurityError("MAC", "not that of the device", spec="GBCS 6.4.5")
        return True
