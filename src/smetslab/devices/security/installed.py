"""Everything that the ASN.1 use cases of one device need, put together and installed in its application."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from smetslab.crypto import PublicKey
from smetslab.devices.application import Application, Station
from smetslab.devices.credentials import CELLS, NOBODY
from smetslab.devices.profile import DeviceProfile
from smetslab.devices.security.activation import FirmwareActivation
from smetslab.devices.security.certificates import CertificateRules
from smetslab.devices.security.clock_setting import ClockSetting, SetClock
from smetslab.devices.security.details import CredentialDetails
from smetslab.devices.security.device_log import Changed, DeviceLog
from smetslab.devices.security.engine import Asn1Engine
from smetslab.devices.security.firmware_store import FirmwareRules, FirmwareStore
from smetslab.devices.security.operation import DeviceTime, Operation
from smetslab.devices.security.pairing import Agree, Pairing, agree_at_once
from smetslab.devices.security.renewal import KeyRenewal
from smetslab.devices.security.replacement import CredentialReplacement, TopUpFloor, no_top_ups
from smetslab.devices.work import Work, Workplace
from smetslab.firmware import Target
from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.gbcs.values import Value
from smetslab.ids import Eui64


@dataclass(frozen=True, slots=True, kw_only=True)
class SecuritySettings:
    """What a new device has, and how it judges.

    `sequence_numbers`: those of Update Security Credentials that a role begins with, where not 0;
    `device_log`: the devices it is paired with.
    """

    certificates: CertificateRules = field(default_factory=CertificateRules)
    sequence_numbers: Mapping[RemotePartyRole, int] = field(default_factory=dict)
    firmware: FirmwareRules = field(default_factory=lambda: FirmwareRules(version=bytes(4)))
    device_log: tuple[tuple[Eui64, DeviceType], ...] = ()


def settings_of(profile: DeviceProfile, device: Eui64) -> SecuritySettings:
    """What the profile of a device says of its firmware; everything else is as in a new one."""
    identity = profile.identity
    target = None
    if identity.image_type is not None:
        target = Target(
            manufacturer_code=int(identity.manufacturer_id, 16),
            image_type=int(identity.image_type, 16),
            hardware_version=int(identity.hardware_version, 16),
            eui64=device,
        )
    makers = tuple(PublicKey(bytes.fromhex(point)) for point in identity.firmware_signers)
    firmware = FirmwareRules(version=identity.firmware_version_octets, target=target, makers=makers)
    return SecuritySettings(firmware=firmware)


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """The security of one device, as long as it has power."""

    application: Application
    log: DeviceLog
    firmware: FirmwareActivation
    pairing: Pairing

    def inspect(self) -> dict[str, Value]:
        """For people: no key, only who holds one."""
        return {
            "trust_anchors": [
                {
                    "role": cell.role.name.lower(),
                    "key_usage": cell.usage.value,
                    "cell_usage": cell.cell_usage.name.lower(),
                    "party": "" if cell.entity_id == NOBODY else str(cell.entity_id),
                    "key_id": cell.key_id.hex().upper(),
                }
                for cell in self.application.trust_anchors.cells
            ],
            "device_log": [dict(entry) for entry in self.log.describe()],
            "firmware": {
                "running": self.firmware.store.version.hex().upper(),
                "held": None
                if self.firmware.store.held is None
                else self.firmware.store.held.image_hash.hex().upper(),
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What the rest of the device does for its security.

    `set_clock` is for devices whose clock an ASN.1 command sets; `log_changed` is told of every change of
    the device log, `firmware_changed` of the version that runs from now on, `supplier_changed` of another
    supplier that has taken over.
    """

    set_top_up_floor: TopUpFloor = no_top_ups
    set_clock: SetClock | None = None
    agree: Agree = agree_at_once
    firmware_changed: Callable[[Work, bytes], None] = lambda _work, _version: None
    log_changed: Changed = lambda _work: None
    supplier_changed: Changed = lambda _work: None


def install_security(
    application: Application,
    *,
    station: Station,
    workplace: Workplace,
    clock: DeviceTime,
    settings: SecuritySettings | None = None,
    hooks: Hooks | None = None,
) -> Security:
    """Give a device its ASN.1 use cases: those that its type has."""
    chosen, extra = settings or SecuritySettings(), hooks or Hooks()
    device_type, held = station.device_type, CELLS[station.device_type]
    log = DeviceLog(workplace.nvm, first=chosen.device_log, changed=extra.log_changed)
    firmware = FirmwareActivation(
        host=application,
        device_type=device_type,
        store=FirmwareStore(workplace.nvm, chosen.firmware),
        changed=extra.firmware_changed,
        answers_to=station.answers_to,
    )
    pairing = Pairing(host=application, device_type=device_type, log=log, agree=extra.agree)
    replacement = CredentialReplacement(
        host=application,
        device_type=device_type,
        held=held,
        clock=clock,
        rules=chosen.certificates,
        set_top_up_floor=extra.set_top_up_floor,
        supplier_changed=extra.supplier_changed,
    )
    details = CredentialDetails(
        host=application, device_type=device_type, held=held, first_numbers=chosen.sequence_numbers
    )
    renewal = KeyRenewal(
        host=application,
        device=station.eui64,
        device_type=device_type,
        returns_other_certificate=station.quirks.returns_other_certificate,
    )

    def operations() -> Iterator[Operation]:
        for part in (details, replacement, renewal, pairing, firmware):
            yield from part.operations()
        if extra.set_clock is not None:
            yield from ClockSetting(extra.set_clock).operations()

    application.install(Asn1Engine(operations, application.future_dated, station.quirks))
    application.peers = log.peer_key
    return Security(application=application, log=log, firmware=firmware, pairing=pairing)
