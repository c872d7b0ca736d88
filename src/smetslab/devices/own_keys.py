"""A device's own key pairs: those it works with, and those that wait for their certificate.

A new key pair is made on the device and becomes the one in use when its certificate is installed.

Spec: GBCS 13.5, use cases CS02c, CS02d, CS02e.
"""

from __future__ import annotations

from smetslab.crypto import PrivateKey
from smetslab.devices.credentials import DeviceKeys, PendingKey
from smetslab.devices.work import Work
from smetslab.errors import StoreError
from smetslab.gbcs.codes import KeyUsage
from smetslab.ids import Eui64
from smetslab.pki import Certificate, parse_certificate
from smetslab.pki.request import device_request
from smetslab.rng import RootSeed
from smetslab.store import Nvm

_PREFIX = "credential/own/"
_MADE = "credential/made"
OWN_USAGES = (KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT)


class OwnKeys:
    """The key pairs of one device, as long as it has power."""

    def __init__(self, first: DeviceKeys, nvm: Nvm, device: Eui64, seed: RootSeed) -> None:
        """`first`: what a new device has; `seed`: the chance from which it makes keys."""
        self._device = device
        self._seed = seed
        self._keys = {KeyUsage.DIGITAL_SIGNATURE: first.ds, KeyUsage.KEY_AGREEMENT: first.ka}
        self._certificates = {
            KeyUsage.DIGITAL_SIGNATURE: first.ds_certificate,
            KeyUsage.KEY_AGREEMENT: first.ka_certificate,
        }
        self._pending: dict[KeyUsage, PendingKey] = {}
        made = nvm.get(_MADE)
        self._made = 0 if made is None else int.from_bytes(made, "big")
        for usage in OWN_USAGES:
            self._load(usage, nvm)
        if made is None:
            self._pending.update(first.pending)

    def _load(self, usage: KeyUsage, nvm: Nvm) -> None:
        key, certificate = nvm.get(f"{_PREFIX}{usage}/key"), nvm.get(f"{_PREFIX}{usage}/certificate")
        if key is not None:
            self._keys[usage] = PrivateKey.from_pem(key)
        if certificate is not None:
            self._certificates[usage] = parse_certificate(certificate)
        pending = nvm.get(f"{_PREFIX}{usage}/pending")
        if pending:
            private = PrivateKey.from_pem(pending)
            self._pending[usage] = PendingKey(private, private.public)

    @property
    def ds(self) -> PrivateKey:
        """What it signs with."""
        return self._keys[KeyUsage.DIGITAL_SIGNATURE]

    @property
    def ka(self) -> PrivateKey:
        """What it agrees keys with."""
        return self._keys[KeyUsage.KEY_AGREEMENT]

    def certificate(self, usage: KeyUsage) -> Certificate | None:
        """The certificate that it holds of a key in use."""
        return self._certificates.get(usage)

    def pending(self, usage: KeyUsage) -> PendingKey | None:
        """The key pair that waits for its certificate."""
        return self._pending.get(usage)

    def make(self, work: Work, usage: KeyUsage) -> bytes:
        """Make a new key pair in place of one that waits, and the DER of the request for its certificate."""
        self._made += 1
        private = PrivateKey.from_seed(self._seed.octets(f"own-key/{self._device}/{usage}/{self._made}", 32))
        self._pending[usage] = PendingKey(private, private.public)
        work.tx.put(_MADE, self._made.to_bytes(4, "big"))
        work.tx.put(f"{_PREFIX}{usage}/pending", private.to_pem())
        return device_request(private, self._device, usage)

    def install(self, work: Work, usage: KeyUsage, certificate: Certificate) -> None:
        """Work with the key pair that has waited from now on. Raises StoreError when there is none."""
        pending = self._pending.pop(usage, None)
        if pending is None:
            raise StoreError(f"no {usage} key pair of {self._device} waits for a certificate")
        self._keys[usage] = pending.private
        self._certificates[usage] = certificate
        work.tx.put(f"{_PREFIX}{usage}/key", pending.private.to_pem())
        work.tx.put(f"{_PREFIX}{usage}/certificate", certificate.der)
        work.tx.put(f"{_PREFIX}{usage}/pending", b"")
        work.tx.put(_MADE, self._made.to_bytes(4, "big"))
