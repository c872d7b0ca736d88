"""Protection of GBCS messages: which bytes, which key derivation, which key pair.

Keys come from the caller: this module takes the shared secret Z of a pair of KA keys, or a DS key.

Spec: GBCS 4.3.2 (primitives), 4.3.3.3 (derivation), 6.4.5 (MAC), 7.2.7 (signature), 8.4 (encryption).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from struct import Struct

from smetslab.crypto import TAG_BYTES, PrivateKey, PublicKey, derive_key, equal, gcm_open, gcm_seal, gmac
from smetslab.errors import GbcsDecodeError, GbcsEncodeError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.message import SECURITY_HEADER, Message, encode_grouping, signed_part
from smetslab.ids import Eui64

_ALGORITHM_AES_GCM_128 = bytes.fromhex("60857406080300")
_OTHER_INFO = Struct(">7s8sBBQ8s")
_TRANSACTION_BYTES = 9
_NO_INVOCATION = bytes(4)
_MAC_AAD_PREFIX = SECURITY_HEADER + b"\x00"
ENCRYPTED_HEADER = bytes.fromhex("3100000000")
"""Security header of protected content: suite 1, authentication and encryption. Spec: GBCS 8.4."""
_ENCRYPTION_AAD = b"\x31"
ENCRYPTION_TRANSACTION = 4
"""First octet of the transaction id in the derivation of an encryption key. Spec: GBCS 4.3.3.3."""


def other_info(transaction: int, originator: Eui64, counter: int, recipient: Eui64) -> bytes:
    """The `info` of the key derivation, 33 octets. Spec: GBCS 4.3.3.3."""
    return _OTHER_INFO.pack(
        _ALGORITHM_AES_GCM_128, originator.raw, _TRANSACTION_BYTES, transaction, counter, recipient.raw
    )


def initialization_vector(originator: Eui64) -> bytes:
    """Fixed field (originator id) and an invocation field of zero. Spec: GBCS 4.3.3.4."""
    return originator.raw + _NO_INVOCATION


def compute_mac(message: Message, secret: bytes) -> bytes:
    """The 12-octet MAC of `message` under the shared secret of the parties of `mac_parties`."""
    if message.signature is None:
        raise GbcsEncodeError(
            "a MACed message needs a signature part, if only of length 00", path="MAC", spec="GBCS 7.2.8"
        )
    key = derive_key(
        secret,
        other_info(
            message.cra,
            message.business_originator_id,
            message.originator_counter,
            message.business_target_id,
        ),
    )
    iv = initialization_vector(message.business_originator_id)
    return gmac(key, iv, _MAC_AAD_PREFIX + encode_grouping(message))[:TAG_BYTES]


def with_mac(message: Message, secret: bytes) -> Message:
    """`message` with its MAC; an absent signature part becomes the length 00."""
    ready = message if message.signature is not None else replace(message, signature=b"")
    return replace(ready, message_mac=compute_mac(ready, secret))


def verify_mac(message: Message, secret: bytes) -> bool:
    """True when the MAC is there and right."""
    if message.message_mac is None or message.signature is None:
        return False
    return equal(compute_mac(message, secret), message.message_mac)


def with_signature(message: Message, key: PrivateKey) -> Message:
    """`message` signed by its originator's DS key; a MAC, which would cover the signature, is dropped."""
    return replace(message, signature=key.sign(signed_part(message)), message_mac=None)


def verify_signature(message: Message, key: PublicKey) -> bool:
    """True when the signature is there and `key`'s."""
    return bool(message.signature) and key.verify(message.signature or b"", signed_part(message))


@dataclass(frozen=True, slots=True)
class MacParties:
    """Whose key agreement keys make the shared secret of a MAC; either half may hold the private key."""

    device: Eui64
    remote_party: Eui64


def mac_parties(message: Message, access_control_broker: Eui64) -> MacParties:
    """Commands are MACed by the ACB whoever originates them; responses and alerts for their recipient.

    Spec: GBCS 6.2.2, 6.4.5.
    """
    if message.cra is Cra.COMMAND:
        return MacParties(message.business_target_id, access_control_broker)
    return MacParties(message.business_originator_id, message.business_target_id)


@dataclass(frozen=True, slots=True)
class EncryptionContext:
    """Who encrypts what for whom: the values that make key and IV of protected content. Spec: GBCS 8.4."""

    device: Eui64
    recipient: Eui64
    counter: int

    @classmethod
    def of(cls, message: Message) -> EncryptionContext:
        """The context of the protected content of a response or alert.

        The supplementary remote party and the supplementary originator counter, where the message names them,
        stand in place of the header's recipient and counter.
        """
        extra = message.other_information
        counter = extra.supplementary_originator_counter
        return cls(
            device=message.business_originator_id,
            recipient=extra.supplementary_remote_party_id or message.business_target_id,
            counter=message.originator_counter if counter is None else counter,
        )

    def key(self, secret: bytes) -> bytes:
        return derive_key(
            secret, other_info(ENCRYPTION_TRANSACTION, self.device, self.counter, self.recipient)
        )

    def encrypt(self, secret: bytes, plaintext: bytes) -> bytes:
        """Security header, ciphertext, 12-octet tag."""
        iv = initialization_vector(self.device)
        return ENCRYPTED_HEADER + gcm_seal(self.key(secret), iv, plaintext, _ENCRYPTION_AAD)

    def decrypt(self, secret: bytes, protected: bytes) -> bytes:
        """Raises GbcsDecodeError on a wrong header, SecurityError when the tag does not fit."""
        if protected[: len(ENCRYPTED_HEADER)] != ENCRYPTED_HEADER:
            raise GbcsDecodeError(
                "wrong security header of protected content",
                path="protected content",
                expected=ENCRYPTED_HEADER.hex().upper(),
                found=protected[:5].hex().upper(),
                spec="GBCS 8.4",
            )
        iv = initialization_vector(self.device)
        return gcm_open(self.key(secret), iv, protected[len(ENCRYPTED_HEADER) :], _ENCRYPTION_AAD)
