"""Cryptographic primitives of GBCS and ZigBee, in one place.

Only this module and `smetslab.pki` import `cryptography`. Keys are parsed once into objects that show no
secret
in their representation; ECDH runs once for each pair of keys (`SharedSecrets`), the key derivation for each
message.

Spec: GBCS 4.3.2, 4.3.3 (P-256, SHA-256, AES-128-GCM with a 96-bit tag, raw r|s signatures); ZigBee annex A
(AES-CCM*), annex B (AES-MMO, HMAC-MMO).
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB, GCM
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap_with_padding,
    aes_key_wrap_with_padding,
)

from smetslab.errors import SecurityError

TAG_BYTES = 12
SIGNATURE_BYTES = 64
MIC_BYTES = 4
AES_BLOCK = 16
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

_CURVE = ec.SECP256R1()
_SIGN_RANDOM = ec.ECDSA(hashes.SHA256())
_SIGN_DETERMINISTIC = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)


class PublicKey:
    """A P-256 public key. Equal and hashed by its uncompressed point (65 octets)."""

    __slots__ = ("_key", "point")

    def __init__(self, point: bytes) -> None:
        """`point`: uncompressed X9.62 point. Raises SecurityError when it is not on the curve."""
        try:
            self._key = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, point)
        except ValueError as error:
            raise SecurityError("key", "not a point of P-256") from error
        self.point = self._key.public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )

    @classmethod
    def of(cls, key: ec.EllipticCurvePublicKey) -> PublicKey:
        """Wrap a key of the `cryptography` library. Raises SecurityError on another curve."""
        if key.curve.name != _CURVE.name:
            raise SecurityError("key", f"curve {key.curve.name}, expected P-256", spec="GBCS 4.3.3")
        return cls(
            key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        )

    @property
    def library_key(self) -> ec.EllipticCurvePublicKey:
        return self._key

    def verify(self, signature: bytes, data: bytes) -> bool:
        """True when `signature` (raw r|s, 64 octets) over SHA-256 of `data` is this key's. Spec: GBCS
        4.3.3."""
        if len(signature) != SIGNATURE_BYTES:
            return False
        der = encode_dss_signature(
            int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        )
        try:
            self._key.verify(der, data, _SIGN_RANDOM)
        except InvalidSignature:
            return False
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and other.point == self.point

    def __hash__(self) -> int:
        return hash(self.point)

    def __repr__(self) -> str:
        return f"PublicKey({self.point[1:5].hex()}...)"


class PrivateKey:
    """A P-256 private key. Shows nothing of itself but its public half."""

    __slots__ = ("_key", "public")

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self.public = PublicKey.of(key.public_key())

    @classmethod
    def from_pem(cls, pem: bytes) -> PrivateKey:
        """Raises SecurityError when `pem` holds no unencrypted P-256 private key."""
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError) as error:
            raise SecurityError("key", "no readable unencrypted PEM private key") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise SecurityError("key", "not an elliptic curve private key")
        return cls(key)

    @classmethod
    def from_seed(cls, seed: bytes) -> PrivateKey:
        """A key that depends on `seed` alone (at least 32 octets of it), for reproducible test
        hierarchies."""
        scalar = (
            int.from_bytes(hashlib.sha512(b"smetslab P-256 key" + seed).digest(), "big") % (P256_ORDER - 1)
            + 1
        )
        return cls(ec.derive_private_key(scalar, _CURVE))

    @property
    def library_key(self) -> ec.EllipticCurvePrivateKey:
        return self._key

    def to_pem(self) -> bytes:
        """Unencrypted PKCS#8 PEM."""
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def sign(self, data: bytes) -> bytes:
        """Raw r|s (64 octets) over SHA-256 of `data`; nonce by RFC 6979, so equal input gives equal bytes."""
        r, s = decode_dss_signature(self._key.sign(data, _SIGN_DETERMINISTIC))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def exchange(self, other: PublicKey) -> bytes:
        """ECDH: the x-coordinate, 32 octets. Use `SharedSecrets` on any path that runs for each message."""
        return self._key.exchange(ec.ECDH(), other.library_key)

    def __repr__(self) -> str:
        return f"PrivateKey(of {self.public!r})"


class SharedSecrets:
    """The ECDH results of one actor, kept by key pair: no ECDH for each message. Bounded, least recent
    dropped."""

    def __init__(self, limit: int = 4096) -> None:
        self._limit = limit
        self._secrets: OrderedDict[tuple[bytes, bytes], bytes] = OrderedDict()

    def get(self, private: PrivateKey, public: PublicKey) -> bytes:
        """Z of the pair, 32 octets."""
        index = (private.public.point, public.point)
        secret = self._secrets.get(index)
        if secret is None:
            secret = private.exchange(public)
            self._secrets[index] = secret
            if len(self._secrets) > self._limit:
                self._secrets.popitem(last=False)
        else:
            self._secrets.move_to_end(index)
        return secret

    def __len__(self) -> int:
        return len(self._secrets)

    def __repr__(self) -> str:
        return f"SharedSecrets({len(self._secrets)} of at most {self._limit})"


def derive_key(secret: bytes, other_info: bytes) -> bytes:
    """Single-step KDF over SHA-256, first 16 octets. Spec: GBCS 4.3.3.3; NIST SP 800-56A 5.8.1."""
    return hashlib.sha256(b"\x00\x00\x00\x01" + secret + other_info).digest()[:16]


def gmac(key: bytes, iv: bytes, aad: bytes) -> bytes:
    """The whole 16-octet GCM tag over `aad` with an empty plaintext; callers truncate."""
    return AESGCM(key).encrypt(iv, b"", aad)


def gcm_seal(key: bytes, iv: bytes, plaintext: bytes, aad: bytes) -> bytes:
    """Ciphertext followed by the tag cut to 12 octets. Spec: GBCS 8.4."""
    sealed = AESGCM(key).encrypt(iv, plaintext, aad)
    return sealed[: len(plaintext) + TAG_BYTES]


def gcm_open(key: bytes, iv: bytes, sealed: bytes, aad: bytes) -> bytes:
    """Plaintext of ciphertext | 12-octet tag. Raises SecurityError when the tag does not fit."""
    if len(sealed) < TAG_BYTES:
        raise SecurityError("decryption", f"{len(sealed)} octets are too short for a tag")
    ciphertext, tag = sealed[:-TAG_BYTES], sealed[-TAG_BYTES:]
    decryptor = Cipher(AES(key), GCM(iv, tag, min_tag_length=TAG_BYTES)).decryptor()
    decryptor.authenticate_additional_data(aad)
    try:
        return decryptor.update(ciphertext) + decryptor.finalize()
    except InvalidTag as error:
        raise SecurityError("decryption", "tag does not match", spec="GBCS 8.4") from error


class CcmStar:
    """AES-CCM* at the one level that ZigBee uses, ENC-MIC-32: 13-octet nonce, 4-octet MIC. One object for a
    key.

    Spec: ZigBee annex A, 4.5.1 (security level 5)
    """

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        self._cipher = AESCCM(key, tag_length=MIC_BYTES)

    def seal(self, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
        """Ciphertext followed by the MIC."""
        return self._cipher.encrypt(nonce, plaintext, aad)

    def open(self, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
        """Plaintext of ciphertext | MIC. Raises SecurityError when the MIC does not fit."""
        try:
            return self._cipher.decrypt(nonce, sealed, aad)
        except (InvalidTag, ValueError) as error:
            raise SecurityError("MIC", "does not match", spec="ZigBee annex A") from error

    def __repr__(self) -> str:
        return "CcmStar()"


def aes_mmo(data: bytes) -> bytes:
    """The Matyas-Meyer-Oseas hash with AES-128, 16 octets. Spec: ZigBee B.6."""
    bits = 8 * len(data)
    length = bits.to_bytes(2, "big") if bits < 1 << 16 else bits.to_bytes(4, "big") + bytes(2)
    padded = data + b"\x80"
    padded += bytes(-(len(padded) + len(length)) % AES_BLOCK) + length
    state = bytes(AES_BLOCK)
    for start in range(0, len(padded), AES_BLOCK):
        block = padded[start : start + AES_BLOCK]
        # One block at a time under a new key each time: this is a compression function, not a mode.
        image = Cipher(AES(state), ECB()).encryptor().update(block)  # noqa: S305
        state = bytes(left ^ right for left, right in zip(image, block, strict=True))
    return state


def hmac_mmo(key: bytes, data: bytes) -> bytes:
    """HMAC over `aes_mmo`; `key` has 16 octets. Spec: ZigBee B.1.4; FIPS 198."""
    inner = aes_mmo(bytes(octet ^ 0x36 for octet in key) + data)
    return aes_mmo(bytes(octet ^ 0x5C for octet in key) + inner)


def wrap_key(key: bytes, secret: bytes) -> bytes:
    """`secret` wrapped with an AES key of 16, 24 or 32 octets. Spec: RFC 5649."""
    return aes_key_wrap_with_padding(key, secret)


def unwrap_key(key: bytes, wrapped: bytes) -> bytes:
    """What `wrap_key` has wrapped. Raises SecurityError with any other key."""
    try:
        return aes_key_unwrap_with_padding(key, wrapped)
    except (InvalidUnwrap, ValueError) as error:
        raise SecurityError("key", "cannot be unwrapped", spec="RFC 5649") from error


def equal(left: bytes, right: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(left, right)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
