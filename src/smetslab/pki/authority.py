"""A whole test hierarchy from one seed: roots, issuing authorities, every organisation, any device.

The same seed and start of validity give the same keys and the same certificates, octet for octet. Keys that
come from a seed are as public as the seed: this is a test authority, every authority and organisation in it
is named so, and nothing here is fit for anything but a laboratory.

    root (OU 00) - issuing authority (OU 07) - organisations
    device root (OU 00) - device issuing authority (OU 07) - devices

Spec: GBCS 12; SMKI organisation and device profiles. The two authorities above devices follow the profile
of the published issuing authority Z1; the published data show no root.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from smetslab.crypto import PrivateKey, PublicKey
from smetslab.errors import UsageError
from smetslab.gbcs.codes import CellUsage, KeyUsage, RemotePartyRole
from smetslab.ids import Eui64
from smetslab.pki import names, oids
from smetslab.pki.certificate import DSP_XML_SIGN_ROLE, XML_SIGN_ROLE, Certificate
from smetslab.pki.chain import TrustAnchor
from smetslab.pki.keystore import Entry, KeyRing
from smetslab.pki.limits import SERIAL_BYTES
from smetslab.pki.names import DistinguishedName
from smetslab.pki.production import OWN_MARK
from smetslab.pki.profile import NO_EXPIRY
from smetslab.pki.template import (
    Template,
    authority_key_id,
    basic_constraints,
    hardware_module_name,
    issue,
    key_usage,
    organisation_subject,
    policies,
    subject_key_id,
)
from smetslab.rng import RootSeed

DEFAULT_VALID_FROM: Final = datetime(2015, 1, 1, tzinfo=UTC)
"""The time of the published vectors' values, so that a laboratory may run at any time since."""

ORGANISATION_YEARS: Final = 100
"""As published certificates for XML signatures; one that is to run out is made with `not_after`."""

_DS = KeyUsage.DIGITAL_SIGNATURE
_KA = KeyUsage.KEY_AGREEMENT
_SIGN = (_DS, CellUsage.MANAGEMENT)
_AGREE = (_KA, CellUsage.MANAGEMENT)
_TOP_UP = (_KA, CellUsage.PREPAYMENT_TOP_UP)
_XML_ROLES = frozenset({XML_SIGN_ROLE, DSP_XML_SIGN_ROLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A remote party of the test hierarchy and its credentials, named as in the published key store."""

    name: str
    entity_id: Eui64
    role: RemotePartyRole
    uses: tuple[tuple[KeyUsage, CellUsage], ...]
    xml_role: int | None = None


PARTIES: Final = (
    Party(
        name="recovery",
        entity_id=Eui64.parse("90B3D51F30000001"),
        role=RemotePartyRole.RECOVERY,
        uses=(_SIGN,),
    ),
    Party(
        name="accessControlBroker",
        entity_id=Eui64.parse("90B3D51F30000002"),
        role=RemotePartyRole.ACCESS_CONTROL_BROKER,
        uses=(_SIGN, _AGREE),
        xml_role=DSP_XML_SIGN_ROLE,
    ),
    Party(
        name="transitionalCoS",
        entity_id=Eui64.parse("90B3D51F30000004"),
        role=RemotePartyRole.TRANSITIONAL_COS,
        uses=(_SIGN, _AGREE),
    ),
    Party(
        name="wanProvider",
        entity_id=Eui64.parse("90B3D51F30000007"),
        role=RemotePartyRole.WAN_PROVIDER,
        uses=(_SIGN,),
    ),
    Party(
        name="supplier",
        entity_id=Eui64.parse("90B3D51F30010000"),
        role=RemotePartyRole.SUPPLIER,
        uses=(_SIGN, _AGREE, _TOP_UP),
        xml_role=XML_SIGN_ROLE,
    ),
    Party(
        name="loadController",
        entity_id=Eui64.parse("90B3D51F30010008"),
        role=RemotePartyRole.LOAD_CONTROLLER,
        uses=(_SIGN, _AGREE),
        xml_role=XML_SIGN_ROLE,
    ),
    Party(
        name="networkOperator",
        entity_id=Eui64.parse("90B3D51F30020000"),
        role=RemotePartyRole.NETWORK_OPERATOR,
        uses=(_SIGN, _AGREE),
        xml_role=XML_SIGN_ROLE,
    ),
    Party(
        name="supplier2",
        entity_id=Eui64.parse("90B3D51F30030000"),
        role=RemotePartyRole.SUPPLIER,
        uses=(_SIGN, _AGREE, _TOP_UP),
        xml_role=XML_SIGN_ROLE,
    ),
    Party(
        name="otherUser",
        entity_id=Eui64.parse("00DB123456780004"),
        role=RemotePartyRole.OTHER,
        uses=(_SIGN, _AGREE),
        xml_role=XML_SIGN_ROLE,
    ),
)
"""Well-known test identities. Spec: GBCS test vectors (RTDS); ZAZ1 key store."""

_PARTY_NAMES = {party.entity_id: party.name for party in PARTIES}
_ROLE_NAMES: dict[int, str] = {party.role.value: party.name for party in reversed(PARTIES)}

TEST_DEVICES: Final = tuple(Eui64.parse(f"00DB1234567890A{digit}") for digit in range(7))
"""ESME, GSME, CHF, GPF, PPMID, HCALCS and a load-controlling ESME of the published vectors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaboratoryIdentity:
    """The key with which a laboratory signs its evidence, and the self-signed certificate that names it."""

    private_key: PrivateKey
    certificate: Certificate


class Authority:
    """The test hierarchy of one seed. Cheap to make; certificates are issued when they are asked for.

    `device_policy` goes into device certificates and the authorities above them; by default it is that of the
    organisations, as in the certificates of published virtual devices.
    """

    def __init__(
        self,
        seed: RootSeed,
        valid_from: datetime = DEFAULT_VALID_FROM,
        *,
        device_policy: str = oids.ORGANISATION_POLICY,
        hardware_type: str = oids.HARDWARE_TYPE,
    ) -> None:
        if valid_from.tzinfo is None or valid_from.microsecond:
            raise UsageError(
                "the start of validity needs a time zone and whole seconds", hint="2015-01-01T00:00:00Z"
            )
        self.seed = seed
        self.valid_from = valid_from.astimezone(UTC)
        self.device_policy = device_policy
        self.hardware_type = hardware_type
        organisation = oids.ORGANISATION_POLICY
        self.root = self._authority("root", "00", None, organisation)
        self.issuing = self._authority("issuing", "07", self.root, organisation)
        self.device_root = self._authority("device-root", "00", None, device_policy)
        self.device_issuing = self._authority("device-issuing", "07", self.device_root, device_policy)

    def organisation(
        self,
        entity_id: Eui64,
        role: int,
        usage: KeyUsage,
        cell_usage: CellUsage = CellUsage.MANAGEMENT,
        *,
        name: str = "",
        common_name: str = "",
        generation: int = 0,
        not_after: datetime | None = None,
    ) -> Entry:
        """A credential of a remote party; another `generation` is another key for the same use."""
        label = credential_label(entity_id, usage, cell_usage, signs_xml=role in _XML_ROLES)
        key = self._key(f"{label}/{int(role):02X}/{generation}")
        shown = common_name or f"{OWN_MARK} {entity_id}"
        end = not_after or _years_after(self.valid_from, ORGANISATION_YEARS)
        aki = () if role in _XML_ROLES else (authority_key_id(self._key_of(self.issuing)),)
        parts = (
            key_usage(usage),
            subject_key_id(key.public),
            policies(oids.ORGANISATION_POLICY),
            *aki,
        )
        template = Template(
            serial=self._serial(f"{label}/{int(role):02X}/{generation}/{shown}/{end:%Y%m%d%H%M%S}"),
            subject=organisation_subject(entity_id, int(role), shown),
            not_before=self.valid_from,
            not_after=end,
            # The published XML signing certificates have their three extensions the other way round.
            extensions=parts if aki else tuple(reversed(parts)),
        )
        return Entry(
            name=name or label,
            certificate=self._issue(template, key.public, self.issuing),
            private_key=key,
            cell_usage=cell_usage,
            active=generation == 0,
        )

    def device(self, entity_id: Eui64, usage: KeyUsage, *, generation: int = 0) -> Entry:
        """A device credential with a key from the seed."""
        label = credential_label(entity_id, usage)
        key = self._key(f"device/{label}/{generation}")
        return Entry(
            name=label,
            certificate=self.certify_device(entity_id, usage, key.public),
            private_key=key,
            active=generation == 0,
        )

    def certify_device(
        self, entity_id: Eui64, usage: KeyUsage, public_key: PublicKey, *, not_after: datetime = NO_EXPIRY
    ) -> Certificate:
        """A device certificate for a key that the device may have made itself.

        Spec: GBCS 12, use cases CS02c and CS02d.
        """
        template = Template(
            serial=self._serial(
                f"device/{entity_id}/{usage}/{public_key.point.hex()}/{not_after:%Y%m%d%H%M%S}"
            ),
            subject=DistinguishedName(),
            not_before=self.valid_from,
            not_after=not_after,
            extensions=(
                key_usage(usage),
                subject_key_id(public_key),
                hardware_module_name(entity_id, self.hardware_type),
                policies(self.device_policy),
                authority_key_id(self._key_of(self.device_issuing)),
            ),
        )
        return self._issue(template, public_key, self.device_issuing)

    def party(self, party: Party) -> tuple[Entry, ...]:
        """Every credential of one declared party."""
        uses: list[tuple[int, KeyUsage, CellUsage]] = [
            (party.role, usage, cell_usage) for usage, cell_usage in party.uses
        ]
        if party.xml_role is not None:
            uses.append((party.xml_role, _DS, CellUsage.MANAGEMENT))
        return tuple(
            self.organisation(
                party.entity_id,
                role,
                usage,
                cell_usage,
                name=published_name(party.entity_id, role, usage, cell_usage),
                common_name=f"{OWN_MARK} {party.name}",
            )
            for role, usage, cell_usage in uses
        )

    def authorities(self) -> tuple[Entry, ...]:
        """Both roots and both issuing authorities."""
        return self.root, self.issuing, self.device_root, self.device_issuing

    def anchors(self) -> tuple[TrustAnchor, ...]:
        """Both roots, as anchors for path validation."""
        return TrustAnchor.of(self.root.certificate), TrustAnchor.of(self.device_root.certificate)

    def keystore(self, devices: Iterable[Eui64] = ()) -> KeyRing:
        """Authorities, every declared party, and DS and KA of each of `devices`."""
        entries = [*self.authorities()]
        for party in PARTIES:
            entries += self.party(party)
        for device in devices:
            entries += [self.device(device, _DS), self.device(device, _KA)]
        return KeyRing(entries)

    def laboratory(self) -> LaboratoryIdentity:
        """The evidence signer of this seed."""
        return laboratory_identity(self.seed, self.valid_from)

    def _authority(self, label: str, unit: str, issuer: Entry | None, policy: str) -> Entry:
        key = self._key(f"authority/{label}")
        aki = () if issuer is None else (authority_key_id(self._key_of(issuer)),)
        template = Template(
            serial=self._serial(f"authority/{label}"),
            subject=names.name((oids.ORGANISATIONAL_UNIT, unit), (oids.COMMON_NAME, f"{OWN_MARK} {label}")),
            not_before=self.valid_from,
            not_after=NO_EXPIRY,
            extensions=(
                key_usage(KeyUsage.KEY_CERT_SIGN),
                basic_constraints(1 if issuer is None else 0),
                policies(policy),
                subject_key_id(key.public),
                *aki,
            ),
        )
        if issuer is None:
            certificate = issue(template, key.public, template.subject, key)
        else:
            certificate = self._issue(template, key.public, issuer)
        return Entry(name=label, certificate=certificate, private_key=key)

    def _issue(self, template: Template, key: PublicKey, issuer: Entry) -> Certificate:
        if issuer.private_key is None:
            raise UsageError(f"the private key of {issuer.name} is not at hand")
        return issue(template, key, issuer.certificate.subject, issuer.private_key)

    @staticmethod
    def _key_of(entry: Entry) -> PublicKey:
        return entry.certificate.public_key

    def _key(self, label: str) -> PrivateKey:
        return PrivateKey.from_seed(self.seed.octets(f"pki/key/{label}", 32))

    def _serial(self, label: str) -> int:
        """Different for certificates that differ in anything, as an issuer's serial numbers have to be."""
        return _serial(self.seed, f"{self.valid_from:%Y%m%d%H%M%S}/{self.device_policy}/{label}")

    def __repr__(self) -> str:
        root = self.root.certificate.fingerprint.hex()[:16]
        return f"Authority(valid from {self.valid_from:%Y-%m-%d}, root {root})"


def laboratory_identity(seed: RootSeed, valid_from: datetime = DEFAULT_VALID_FROM) -> LaboratoryIdentity:
    """An evidence signer whose key depends on `seed` alone: whoever knows the seed can sign in its name."""
    key = PrivateKey.from_seed(seed.octets("pki/key/laboratory", 32))
    subject = names.name((oids.COMMON_NAME, "smetslab laboratory (TEST)"))
    template = Template(
        serial=_serial(seed, "laboratory"),
        subject=subject,
        not_before=valid_from,
        not_after=NO_EXPIRY,
        extensions=(
            key_usage(_DS),
            subject_key_id(key.public),
            authority_key_id(key.public),
        ),
    )
    return LaboratoryIdentity(private_key=key, certificate=issue(template, key.public, subject, key))


def _serial(seed: RootSeed, label: str) -> int:
    """Sixteen octets and positive: the top bit is clear, the next one set."""
    bits = 8 * SERIAL_BYTES
    drawn = int.from_bytes(seed.octets(f"pki/serial/{label}", SERIAL_BYTES), "big")
    return drawn % (1 << (bits - 2)) | 1 << (bits - 2)


def credential_label(
    entity_id: Eui64,
    usage: KeyUsage,
    cell_usage: CellUsage = CellUsage.MANAGEMENT,
    *,
    signs_xml: bool = False,
) -> str:
    """The name of a credential and its files, as the folders of published test keys have it."""
    use = "ds" if usage is _DS else "ka"
    if signs_xml:
        use = f"xml-{use}"
    elif cell_usage is CellUsage.PREPAYMENT_TOP_UP:
        use = f"pp-{use}"
    return f"{str(entity_id).lower()}-{use}"


def published_name(
    entity_id: Eui64, role: int, usage: KeyUsage, cell_usage: CellUsage = CellUsage.MANAGEMENT
) -> str:
    """The name of an organisation's credential in a ZAZ1 key store.

    The published tools choose by the prefix `Z1-`, find the prepayment key by `PP-ka`, and the DCC's key
    for XML signatures by `dsp-`.
    """
    if role in _XML_ROLES:
        return f"{'dsp-' if role == DSP_XML_SIGN_ROLE else ''}xml-sign-{entity_id}-ds"
    party = _PARTY_NAMES.get(entity_id) or _ROLE_NAMES.get(role, f"role{role:02X}")
    top_up = "PP" if cell_usage is CellUsage.PREPAYMENT_TOP_UP else ""
    return f"Z1-{party}{top_up}-{'ds' if usage is _DS else 'ka'}"


def _years_after(moment: datetime, years: int) -> datetime:
    """The last second of a period of whole years; from a leap day, it may end a day early."""
    try:
        end = moment.replace(year=moment.year + years)
    except ValueError:
        end = moment.replace(year=moment.year + years, day=28)
    return end - timedelta(seconds=1)
