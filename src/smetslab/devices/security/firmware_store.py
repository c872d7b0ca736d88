"""The firmware of a device: the version that runs, and one Manufacturer Image beside it.

    idle -> (receiving) -> held -> activating -> idle, or held again when the self test fails

At power on the image that runs is checked; one that is damaged gives way to the one that ran before it, and
that to the one the device was made with.

Spec: GBCS 11; SMETS 4.6.5.10, 5.7.5.17; that there is one place for an image, and what a damaged one gives
way to, are unverified.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from smetslab.crypto import PublicKey
from smetslab.devices.work import Work
from smetslab.errors import FirmwareError
from smetslab.firmware import Target, check_file, check_fit, decode_file, manufacturer_image_hash
from smetslab.firmware.manufacturer import read_content, split_trailer
from smetslab.store import Nvm

_KEY = "firmware/held"
_RUNNING = "firmware/running"
_PREVIOUS = "firmware/previous"
_DAMAGED = "firmware/damaged"

Receipt = Literal["verified", "hardware mismatch", "does not fit", "verification failed"]
"""What became of a file: held, refused by its header (hub: 8F89), or refused by its content (8F1C)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldImage:
    """An image that was received and found good."""

    image_hash: bytes
    version: bytes
    self_test_passes: bool = True

    def encode(self) -> bytes:
        return self.image_hash + bytes((self.self_test_passes,)) + self.version

    @classmethod
    def decode(cls, octets: bytes) -> HeldImage:
        return cls(image_hash=octets[:32], self_test_passes=bool(octets[32]), version=octets[33:])


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareRules:
    """What a device accepts. `target` None: no file fits; `makers`: keys of which one has to have signed."""

    version: bytes
    target: Target | None = None
    makers: tuple[PublicKey, ...] = ()
    held: HeldImage | None = None
    """What a new device has received already."""


class FirmwareStore:
    """The firmware of one device, as long as it has power."""

    def __init__(self, nvm: Nvm, rules: FirmwareRules) -> None:
        self._rules = rules
        running, held = nvm.get(_RUNNING), nvm.get(_KEY)
        previous = nvm.get(_PREVIOUS)
        self._previous = rules.version if previous is None else previous
        self._damaged = nvm.get(_DAMAGED) is not None
        self.version = rules.version if running is None else running
        self.held = rules.held if held is None else None
        if held:
            self.held = HeldImage.decode(held)

    def receive(self, work: Work, data: bytes) -> tuple[Receipt, str]:
        """Take a whole OTA file, in place of an image that is held; what became of it, and why."""
        try:
            file = decode_file(data)
        except FirmwareError as error:
            return "verification failed", str(error)
        target = self._rules.target
        findings = [] if target is None else check_fit(file.header, target)
        if target is None:
            return "does not fit", "the device states no image type"
        if findings:
            hardware = [finding.rule for finding in findings] == ["hardware version"]
            return "hardware mismatch" if hardware else "does not fit", str(findings[0])
        wrong = check_file(file, self._rules.makers)
        if wrong:
            return "verification failed", str(wrong[0])
        content = read_content(split_trailer(file.manufacturer_image)[0])
        self._hold(
            work,
            HeldImage(
                image_hash=manufacturer_image_hash(file.manufacturer_image),
                version=file.header.firmware_version,
                self_test_passes=content is None or content.self_test_passes,
            ),
        )
        return "verified", ""

    def _hold(self, work: Work, image: HeldImage | None) -> None:
        self.held = image
        work.tx.put(_KEY, b"" if image is None else image.encode())

    def discard(self, work: Work) -> None:
        """Forget a held image."""
        self._hold(work, None)

    def activate(self, work: Work) -> bool:
        """Run the held image; False when its self test fails, and what ran before goes on."""
        held = self.held
        if held is None or not held.self_test_passes:
            return False
        self._previous = self.version
        work.tx.put(_PREVIOUS, self.version)
        self._run(work, held.version)
        self._hold(work, None)
        return True

    def check_at_power_on(self, work: Work) -> bool:
        """Whether the image that runs is whole; another one runs when it was not."""
        if not self._damaged:
            return True
        self._damaged = False
        work.tx.delete(_DAMAGED)
        self._run(work, self._previous)
        self._previous = self._rules.version
        work.tx.put(_PREVIOUS, self._previous)
        return False

    def _run(self, work: Work, version: bytes) -> None:
        self.version = version
        work.tx.put(_RUNNING, version)


def damage_running_image(nvm: Nvm) -> None:
    """Bits of the image that runs have fallen over; the next power on finds it."""
    with nvm.transaction() as tx:
        tx.put(_DAMAGED, b"\x01")
