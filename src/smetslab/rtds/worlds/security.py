"""Credentials, device logs and firmware in the published scenarios, the same for every kind of device.

Spec: RTDS 4.5.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from smetslab.devices.credentials import DeviceKeys, PendingKey
from smetslab.devices.security.certificates import CertificateRules
from smetslab.devices.security.contingency import ContingencyKey
from smetslab.devices.security.firmware_store import FirmwareRules, HeldImage
from smetslab.devices.security.installed import SecuritySettings
from smetslab.gbcs.codes import DeviceType, KeyUsage, RemotePartyRole
from smetslab.gbcs.message import Message
from smetslab.gbcs.usecases import decode_content
from smetslab.gbcs.usecases.registry import by_code
from smetslab.ids import Eui64
from smetslab.pki import Certificate
from smetslab.rtds.rules import Rule
from smetslab.rtds.worlds import contingency
from smetslab.rtds.worlds.model import Site

CERTIFICATE_TIME: Final = datetime(2016, 6, 1, tzinfo=UTC)
"""Devices show 2015-01-01, but the certificates of the scenarios begin after that."""

_OTHER_IMAGE: Final = bytes(32)
"""The hash of an image that no command names."""

LOGS: Final[Mapping[DeviceType, tuple[tuple[str, DeviceType], ...]]] = {
    DeviceType.ESME: (("00DB123456789099", DeviceType.PPMID),),
    DeviceType.GSME: (
        ("0102030405060708", DeviceType.GPF),
        ("00DB123456789099", DeviceType.GPF),
        ("00DB123456789097", DeviceType.PPMID),
    ),
    DeviceType.GPF: (
        ("0102030405060708", DeviceType.TYPE_2),
        ("00DB123456789099", DeviceType.PPMID),
        ("00DB123456789097", DeviceType.PPMID),
        ("00DB123456789096", DeviceType.PPMID),
        ("00DB123456789098", DeviceType.PPMID),
        ("00DB12345678909B", DeviceType.TYPE_2),
    ),
    DeviceType.PPMID: (("0102030405060708", DeviceType.ESME),),
    DeviceType.HCALCS: (("0102030405060708", DeviceType.ESME),),
}
"""The device logs. Which types the entries of an ESME, PPMID or HCALCS have does not show."""

RULES: Final = (
    # Firmware: the version of these scenarios is another one than elsewhere.
    Rule(scenarios=r"_CS06/", overlays=("firmware-of-activation",)),
    Rule(scenarios=r"_CS06/.*FUTURE_DATED_SUCCESS", overlays=("named-image",), alert_counter=2000),
    Rule(scenarios=r"_CS06/.*IMMEDIATE_SUCCESS", overlays=("named-image",)),
    Rule(
        scenarios=r"_CS06/.*FUTURE_DATED_ERROR", overlays=("other-image",), no_fault=True, alert_counter=2001
    ),
    Rule(scenarios=r"_CS06/.*IMMEDIATE_ERROR", no_fault=True),
    # Certificates: one issuer is not trusted; no role of its own makes a cell unknown.
    Rule(scenarios=r"_CS02b.*_ERROR", no_fault=True),
    Rule(scenarios=r"_CS02gLoadControllerBySupplier/.*_ERROR", overlays=("no-anchor",), no_fault=True),
    Rule(scenarios=r"_CS02[af]\w*/.*_ERROR", no_fault=True),
    Rule(scenarios=r"_CS02d/", overlays=("key-pairs-wait",)),
    Rule(scenarios=r"_CS02d/.*_ERROR", no_fault=True),
    Rule(scenarios=r"_CS02aSignature/", overlays=("first-numbers-zero",)),
    Rule(scenarios=r"_CS02bSupplierByTransCoS/.*8F66", alert_counter=2001),
    Rule(scenarios=r"_CS02bSupplierBySupplier/.*8F67", alert_counter=2002),
    Rule(scenarios=r"_CS02gLoadControllerByLoadController/.*8F66", alert_counter=2001),
    Rule(scenarios=r"_CS02bAnyByContingency/", overlays=(contingency.OVERLAY,), no_fault=True),
    # Pairing: an id that is on the log as another type, or not at all; no certificate.
    Rule(scenarios=r"_CS03A1/.*_ERROR", overlays=("partner-is-hcalcs",), no_fault=True),
    Rule(scenarios=r"_CS03C.*_ERROR", no_fault=True),
    Rule(scenarios=r"_CS04.*_ERROR", no_fault=True),
    Rule(scenarios=r"_CS03(A2|B)\w*/.*_ERROR", no_fault=True),
    # GCS28: the hub's time is outside the interval.
    Rule(scenarios=r"_GCS28\w*/.*_ERROR", no_fault=True),
)
"""What the scenarios of ASN.1 use cases need."""


def settings(site: Site, device_type: DeviceType, version: bytes) -> SecuritySettings:
    """The credentials, log and firmware of a device; `version` is the one that it shows."""
    overlays = site.overlays
    running = bytes.fromhex("0123ABCF") if "firmware-of-activation" in overlays else version
    held: HeldImage | None = None
    if "other-image" in overlays:
        held = HeldImage(image_hash=_OTHER_IMAGE, version=running)
    if "image-at-hand" in overlays:
        held = HeldImage(image_hash=_OTHER_IMAGE, version=running)
    if "named-image" in overlays and site.command is not None:
        held = HeldImage(image_hash=_named_hash(site.command), version=running)
    log = [(Eui64.parse(device), kind) for device, kind in LOGS.get(device_type, ())]
    if "partner-is-hcalcs" in overlays:
        log.append((Eui64.parse("00DB12345678909A"), DeviceType.HCALCS))
    numbers = {RemotePartyRole.NETWORK_OPERATOR: 1, RemotePartyRole.LOAD_CONTROLLER: 1}
    return SecuritySettings(
        certificates=CertificateRules(
            anchors=() if "no-anchor" in overlays else site.anchors, time=lambda _time: CERTIFICATE_TIME
        ),
        sequence_numbers={} if "first-numbers-zero" in overlays else numbers,
        firmware=FirmwareRules(version=running, held=held),
        device_log=tuple(log),
    )


def root(site: Site) -> Certificate | None:
    """The root in a device's cell, where a scenario needs one: the published one is not known."""
    return contingency.root() if contingency.OVERLAY in site.overlays else None


def contingency_key(site: Site) -> ContingencyKey | None:
    """What came with that root."""
    return contingency.key() if contingency.OVERLAY in site.overlays else None


def keys(site: Site) -> DeviceKeys:
    """The device's keys. Where a scenario installs a certificate, the key pair that waits for it has that
    certificate's public half; the private half is not published, and another stands for it.
    """
    if "key-pairs-wait" not in site.overlays:
        return site.keys
    held = (
        (KeyUsage.DIGITAL_SIGNATURE, site.keys.ds, site.keys.ds_certificate),
        (KeyUsage.KEY_AGREEMENT, site.keys.ka, site.keys.ka_certificate),
    )
    pending = tuple(
        (usage, PendingKey(private, certificate.public_key))
        for usage, private, certificate in held
        if certificate is not None
    )
    return replace(site.keys, pending=pending)


def _named_hash(command: Message) -> bytes:
    """The hash of the image that an activation names: the device has received just that."""
    use_case = by_code(command.message_code)
    named = None if use_case is None else decode_content(use_case, command).get("manufacturer_image_hash")
    return bytes.fromhex(named) if isinstance(named, str) else _OTHER_IMAGE
