"""The detached signature of a manifest, with the signer's certificate beside it.

`manifest.sig` is JSON: `algorithm`, `manifest_sha256` (tells which of the two files was altered), `signature`
(raw r|s in hex over the bytes of `manifest.json`), `certificate` (PEM), `fingerprint` (SHA-256 of its DER).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from smetslab.crypto import PrivateKey, sha256
from smetslab.errors import CertificateError, CodecError
from smetslab.harness.evidence.manifest import pretty_json
from smetslab.pki import Certificate, parse_certificate

ALGORITHM: Final = "ecdsa-p256-sha256"
MAX_SIGNATURE_FILE_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class DetachedSignature:
    """The content of `manifest.sig`."""

    manifest_sha256: bytes
    signature: bytes
    certificate: Certificate

    def to_bytes(self) -> bytes:
        """The one way to write it."""
        return pretty_json(
            {
                "algorithm": ALGORITHM,
                "manifest_sha256": self.manifest_sha256.hex(),
                "signature": self.signature.hex().upper(),
                "certificate": self.certificate.to_pem().decode("ascii"),
                "fingerprint": fingerprint(self.certificate),
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> DetachedSignature:
        """Read it back. CodecError when it is not exactly what `to_bytes` writes."""
        if len(data) > MAX_SIGNATURE_FILE_BYTES:
            raise CodecError("too long for a signature file", found=f"{len(data)} octets")
        try:
            document = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise CodecError("not JSON") from error
        if not isinstance(document, dict) or document.get("algorithm") != ALGORITHM:
            raise CodecError("not a signature of this laboratory", expected=f"algorithm {ALGORITHM}")
        try:
            read = cls(
                bytes.fromhex(str(document.get("manifest_sha256"))),
                bytes.fromhex(str(document.get("signature"))),
                parse_certificate(str(document.get("certificate")).encode()),
            )
        except ValueError as error:
            raise CodecError("not hex", path="signature or hash") from error
        except CertificateError as error:
            raise CodecError(str(error), path="certificate") from error
        if read.to_bytes() != data:
            raise CodecError("not written the one way this laboratory writes it")
        return read

    def verifies(self, manifest: bytes) -> bool:
        """True when the certificate's key made the signature over exactly these bytes."""
        return self.certificate.public_key.verify(self.signature, manifest)


def sign_manifest(manifest: bytes, key: PrivateKey, certificate: Certificate) -> bytes:
    """The content of `manifest.sig`. The key must be the certificate's."""
    if key.public != certificate.public_key:
        raise CertificateError("the laboratory's certificate is not that of its key")
    return DetachedSignature(sha256(manifest), key.sign(manifest), certificate).to_bytes()


def fingerprint(certificate: Certificate) -> str:
    """SHA-256 of the certificate, as people compare it."""
    return certificate.fingerprint.hex().upper()
