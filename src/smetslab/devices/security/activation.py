"""Activate Firmware, the receipt of images, and the reading of versions.

Spec: GBCS 11, use cases CS05b, CS06, CS08, CS09, FDRA.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from smetslab.devices import events
from smetslab.devices.payload_engine import Fault
from smetslab.devices.security.firmware_store import FirmwareStore, Receipt
from smetslab.devices.security.operation import Dating, Host, Operation, Outcome, Request
from smetslab.devices.work import Work
from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import Parameters, from_hex

_CODES: Final = {0: "success", 1: "noImageHeld", 2: "hashMismatch", 3: "activationFailure"}
_RECEIPTS: Final = {DeviceType.ESME: "FDRA-DLMS", DeviceType.GSME: "FDRA-ZigBee"}
_ACTIVATES_BY_ITSELF: Final = (DeviceType.PPMID, DeviceType.HCALCS)
"""Devices without CS06 run an image as soon as they have it. Unverified."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareActivation:
    """The firmware use cases of one device."""

    host: Host
    device_type: DeviceType
    store: FirmwareStore
    changed: Callable[[Work, bytes], None]
    """Told of the version that runs from now on."""
    answers_to: RemotePartyRole

    def operations(self) -> tuple[Operation, ...]:
        rows = (
            Operation(
                use_case="CS06",
                execute=self._activate,
                refusal=lambda _: self._outcome(3),
                dating=Dating(key="firmware", alert="CS06-ALERT", told=_told),
            ),
            Operation(use_case="CS08", execute=self._read, refusal=lambda _: self._version(failed=True)),
        )
        return tuple(row for row in rows if self.device_type in USE_CASES[row.use_case].devices)

    # ---------------------------------------------------------------------------- images

    def receive(self, work: Work, data: bytes, *, run: bool = True) -> Receipt:
        """Take an OTA file and tell who has to know; `run`: run it where no command is needed for that."""
        receipt, why = self.store.receive(work, data)
        work.note("FirmwareReceived", receipt=receipt, reason=why)
        if receipt == "verified":
            self._tell_receipt(work)
            if run:
                self.activate_alone(work)
        elif receipt == "verification failed":
            self.host.raise_event(work, events.FIRMWARE_NOT_VERIFIED)
        return receipt

    def _tell_receipt(self, work: Work) -> None:
        """The receipt alert carries the hash that CS06 will name. Spec: GBCS use case FDRA."""
        held = self.store.held
        self.host.raise_event(work, events.FIRMWARE_VERIFIED)
        recipient = self.host.trust_anchors.party(self.answers_to)
        if self.device_type in _RECEIPTS and held is not None and recipient is not None:
            self.host.send_alert(
                work,
                USE_CASES[_RECEIPTS[self.device_type]],
                events.FIRMWARE_VERIFIED,
                recipient,
                {"manufacturer_image_hash": held.image_hash.hex().upper()},
            )

    def power_on(self, work: Work) -> None:
        """The device starts: a damaged image gives way to the one before it. Spec: GBCS 16.2 (8F1B)."""
        if self.store.check_at_power_on(work):
            return
        work.note("FirmwareDamaged", version=self.store.version.hex().upper())
        self.changed(work, self.store.version)
        self.host.raise_event(work, events.FIRMWARE_NOT_VERIFIED_AT_POWER_ON)

    def activate_alone(self, work: Work) -> None:
        """Run what is held, on a device that needs no command for that; others keep it."""
        if self.device_type not in _ACTIVATES_BY_ITSELF:
            return
        done = self.run(work)
        recipient = self.host.trust_anchors.party(RemotePartyRole.ACCESS_CONTROL_BROKER)
        if self.device_type is DeviceType.PPMID and recipient is not None:
            self.host.send_alert(
                work,
                USE_CASES["CS09"],
                events.FIRMWARE_VERSION_TOLD,
                recipient,
                {
                    "firmware_version": self.store.version.hex().upper(),
                    "activate_image_response_code": "success" if done else "failure",
                },
            )

    def run(self, work: Work) -> bool:
        """Activate what is held; the events of both ways."""
        if self.store.activate(work):
            work.note("FirmwareActivated", version=self.store.version.hex().upper())
            self.changed(work, self.store.version)
            self.host.raise_event(work, events.FIRMWARE_CHANGED)
            return True
        work.note("FirmwareNotActivated", version=self.store.version.hex().upper())
        self.host.raise_event(work, events.FIRMWARE_NOT_VERIFIED)
        return False

    def run_named(self, work: Work, image_hash: bytes, fault: Fault | None = None) -> int:
        """Activate the image that has this hash: the code of CS06 that says what came of it."""
        held = self.store.held
        if held is None:
            return 1
        if held.image_hash != image_hash:
            return 2
        if fault is not None:
            self.host.raise_event(work, events.FIRMWARE_NOT_VERIFIED)
            return 3 if fault.result is None else fault.result
        return 0 if self.run(work) else 3

    # ---------------------------------------------------------------------------- commands

    def _activate(self, request: Request) -> Outcome:
        """Spec: GBCS 11: an image has to be held, its hash be the named one, its activation succeed."""
        named = from_hex(request.parameters["manufacturer_image_hash"], "manufacturer image hash")
        code = self.run_named(request.work, named, request.fault)
        return Outcome(self._outcome(code), None if code == 0 else 0)

    def _outcome(self, code: int) -> Parameters:
        return {
            "execution_outcome": {
                "activate_image_response_code": _CODES.get(code, _CODES[3]),
                "firmware_version": self.store.version.hex().upper(),
            }
        }

    def _read(self, request: Request) -> Outcome:
        failed = request.fault is not None
        return Outcome(self._version(failed=failed), 0 if failed else None)

    def _version(self, *, failed: bool) -> Parameters:
        """A version that cannot be read is shown as zeros. Spec: GBCS use case CS08."""
        version = bytes(4) if failed else self.store.version
        return {
            "firmware_version": version.hex().upper(),
            "read_response_code": "readFailure" if failed else "success",
        }


def _told(request: Request, outcome: Outcome) -> Parameters:
    return {
        "originator_counter": request.parameters["originator_counter"],
        "execution_outcome": outcome.parameters["execution_outcome"],
    }
