"""The lab file: who takes part, which premises there are, and how time, chance and the networks behave."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, Field, PrivateAttr, field_validator, model_validator

from smetslab.dcc.services.settings import (
    DEFAULT_CALLBACK,
    DUIS_PORT,
    SMKI_API_KEY,
    SMKI_PORT,
    callback_url,
)
from smetslab.devices.cad_mqtt import Broker
from smetslab.devices.declaration import Declaration, Eui64Text, hex_pattern, named, parse, read_octets
from smetslab.devices.faults import read_fault
from smetslab.devices.profile import DeviceProfile, Quirk, StateValue, check_names, load_profile
from smetslab.duis.document import DEFAULT_SCHEMA_VERSION
from smetslab.errors import UsageError
from smetslab.gbcs.codes import RemotePartyRole
from smetslab.han.air.bands import CHANNELS_2_4_GHZ, SUB_GHZ_CHANNELS
from smetslab.han.zep_air import parse_host_port
from smetslab.ids import Eui64

SCHEMA_VERSION: Final = 1
DEFAULT_NAME: Final = "default.lab.toml"
HOME_NAME: Final = "home.lab.toml"
"""The built-in lab that is served: a whole home."""

PARTY_ROLES: Final[Mapping[str, RemotePartyRole]] = {
    role.name.lower(): role
    for role in RemotePartyRole
    if role not in (RemotePartyRole.ROOT, RemotePartyRole.ISSUING_AUTHORITY)
}
"""Roles a party of a lab can have; root and issuing authority belong to the key store."""

YEARS: Final = range(2010, 2100)
"""Years in which a laboratory's time may begin: GBCS counts seconds from 2000 in 32 bits, to 2136, and meters
begin with a history. Spec: GBCS 7.3 (log time stamps).
"""

_Seconds = Annotated[float, Field(ge=0, le=86400, allow_inf_nan=False)]
_Wait = Annotated[float, Field(gt=0, le=31 * 86400, allow_inf_nan=False)]
_Probability = Annotated[float, Field(ge=0, lt=1)]
_Name = Annotated[str, Field(pattern="^[a-z0-9][a-z0-9-]*$", max_length=40)]
_HINT = "print the schema of lab files with `smetslab.lab.config.lab_schema()`"


class TimeConfig(Declaration):
    """Virtual time jumps; real time passes, `scale` laboratory seconds a second."""

    mode: Literal["virtual", "real"] = "virtual"
    scale: Annotated[float, Field(gt=0, le=100_000, allow_inf_nan=False)] = 1.0

    @model_validator(mode="after")
    def _only_real_time_has_a_scale(self) -> TimeConfig:
        if self.mode == "virtual" and self.scale != 1.0:
            raise ValueError("scale: only real time has one")
        return self


class StoreConfig(Declaration):
    """Where durable state lives: memory, a SQLite file, or PostgreSQL."""

    url: Annotated[str, Field(min_length=1)] = "sqlite://"


class WanConfig(Declaration):
    """The WAN between DCC and hubs; how it behaves is said of the one in process alone."""

    url: str | None = None
    """An MQTT broker between DCC and hubs, such as mqtt://localhost/lab; by default they share a process."""
    latency_s: _Seconds = 0.2
    jitter_s: _Seconds = 0.05
    loss_probability: _Probability = 0.0
    duplicate_probability: _Probability = 0.0


class ThresholdConfig(Declaration):
    """At most `requests` within `window_s` seconds."""

    requests: Annotated[int, Field(ge=1, le=1_000_000)]
    window_s: _Wait


class AnomalyConfig(Declaration):
    """What the DCC quarantines: more requests than these of a user, or of all users together, by variant or
    `"*"`; and values below or above these, by `"variant/element"` with the dotted name of the element.
    """

    user: dict[str, ThresholdConfig] = Field(default_factory=dict)
    dcc: dict[str, ThresholdConfig] = Field(default_factory=dict)
    attributes: dict[str, tuple[int, int]] = Field(default_factory=dict)


_Detail = Annotated[str, Field(min_length=1, max_length=30)]


class ProductConfig(Declaration):
    """Entries of the Certified Products List: versions of the firmware of one model, all of one status."""

    manufacturer: _Detail
    model: _Detail
    firmware_versions: Annotated[tuple[_Detail, ...], Field(min_length=1)]
    firmware_hashes: dict[str, Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{64}$")]] = Field(
        default_factory=dict
    )
    """SHA-256 of the manufacturer images, by their versions, where they are known."""
    status: Literal["Active", "Cancelled", "Expired", "Withdrawn"] = "Active"

    @model_validator(mode="after")
    def _hashes_are_of_its_versions(self) -> ProductConfig:
        odd = [version for version in self.firmware_hashes if version not in self.firmware_versions]
        if odd:
            raise ValueError(f"firmware_hashes: {odd[0]} is none of firmware_versions")
        return self


class DccConfig(Declaration):
    """How strict the DCC is and how long it waits, in laboratory seconds. The names are those of
    `smetslab.dcc.DccRules`, which explains them and whose values hold where nothing is said.

    Every check can be switched off, because sources leave open what a real appliance insists on.
    """

    check_roles: bool = True
    check_responsibility: bool = True
    check_status: bool = True
    check_counters: bool = True
    check_local_commands: bool = True
    verify_users: bool = True
    verify_devices: bool = True
    response_timeout_s: _Wait = 300.0
    sleeper_timeout_s: _Wait = 7200.0
    delivery_timeout_s: _Wait = 300.0
    retry_interval_s: _Wait = 10.0
    response_retries: Annotated[int, Field(ge=0, le=100)] = 0
    sequence_timeout_s: _Wait = 3600.0
    kept_documents: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000
    schema_version: Annotated[str, Field(pattern=r"^[0-9]{1,2}\.[0-9]{1,2}$")] = DEFAULT_SCHEMA_VERSION
    wan_matrix_form: Literal["5.1", "5.4"] = "5.1"
    """No answer to 12.1 is valid under both schemas; published clients have 5.1."""
    csp_region: Annotated[str, Field(min_length=1, max_length=30)] = "Central"
    wan_technology: Annotated[str, Field(min_length=1, max_length=30)] = "Cellular"
    wan_post_codes: tuple[str, ...] | None = None
    """Beginnings of the post codes that have the WAN; all have it where nothing is said."""
    alert_codes: dict[str, str] = Field(default_factory=dict)
    """Codes of DCC alerts by the name of their element, in place of the laboratory's own table."""
    alert_threshold: ThresholdConfig | None = None
    """How many alerts of one code a device may raise in a while; the others are counted and held back."""
    alert_throttle_fields: bool = False
    """Whether the next alert says how many were held back; published clients refuse one that does."""
    anomaly_limits: AnomalyConfig | None = None
    certified_products: tuple[ProductConfig, ...] | None = None
    """The Certified Products List; without one everything is certified."""


class InterferenceConfig(Declaration):
    """A disturbance of one channel, on and off for random times around these means. `page`: of sub-GHz."""

    channel: Annotated[int, Field(ge=0, le=62)]
    page: Annotated[int, Field(ge=28, le=31)] | None = None
    on_s: Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)]
    off_s: Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)]

    @model_validator(mode="after")
    def _is_a_channel(self) -> InterferenceConfig:
        _check_channel("channel", self.channel, self.page)
        return self


def _check_channel(name: str, number: int, page: int | None) -> None:
    """ValueError for a channel that there is not in its band."""
    numbers = CHANNELS_2_4_GHZ if page is None else SUB_GHZ_CHANNELS[page]
    if number not in numbers:
        where = "at 2.4 GHz" if page is None else f"on page {page}"
        raise ValueError(f"{name}: {number} is no channel {where}, which has {numbers[0]} to {numbers[-1]}")


_ON_THE_AIR: Final = (
    "burst_frames",
    "channel",
    "sub_ghz_page",
    "sub_ghz_channel",
    "zep",
    "shared_air",
    "keep_alive_minutes",
    "link_status_s",
    "interference",
)


class HanConfig(Declaration):
    """How the HAN of a premises behaves: the simulated air with a whole ZigBee stack, or direct links."""

    kind: Literal["radio", "direct"] = "radio"
    latency_s: _Seconds = 0.02
    jitter_s: _Seconds = 0.01
    loss_probability: _Probability = 0.0
    """Of a frame: on direct links of an APS frame, on the air of each frame, in bursts of `burst_frames`."""
    burst_frames: Annotated[float, Field(ge=1)] = 1.0
    channel: Annotated[int, Field(ge=11, le=26)] | None = None
    """By default one of those that hubs prefer, by chance."""
    sub_ghz_page: Annotated[int, Field(ge=28, le=31)] = 28
    sub_ghz_channel: Annotated[int, Field(ge=0, le=62)] = 0
    """Where a hub begins that has devices on sub-GHz; a scan (6.29) may take it elsewhere."""
    shared_air: bool = False
    """All homes of the laboratory hear each other; else each has its own air."""
    keep_alive_minutes: Annotated[int, Field(ge=0, le=255)] = 10
    """How often devices ask their hub whether it is there; 0: never."""
    link_status_s: _Seconds = 0.0
    """How often routers say whom they hear; 15 as ZigBee has it, 0: never."""
    interference: tuple[InterferenceConfig, ...] = ()

    zep: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    """HOST:PORT where other processes come onto the air of the first home with ZEP over UDP; the next home is
    at the next port. Only in real time.
    """

    @field_validator("zep")
    @classmethod
    def _zep_is_an_address(cls, value: str | None) -> str | None:
        if value is not None:
            parse_host_port(value)
        return value

    @model_validator(mode="after")
    def _of_one_kind(self) -> HanConfig:
        others = {"direct": _ON_THE_AIR, "radio": ("latency_s", "jitter_s")}[self.kind]
        wrong = [name for name in others if name in self.model_fields_set]
        if wrong:
            raise ValueError(f"{wrong[0]} does not go with kind {self.kind!r}")
        _check_channel("sub_ghz_channel", self.sub_ghz_channel, self.sub_ghz_page)
        return self


class ToleranceConfig(Declaration):
    """How long a test waits, and how exact a clock must be."""

    response_s: _Seconds = 30.0
    alert_s: _Seconds = 60.0
    clock_s: _Seconds = 10.0


class ContingencyConfig(Declaration):
    """The contingency credential of a laboratory: a key that came with the root of every device, wrapped, and
    the key that unwraps it. Both are made from the seed where neither is given.
    """

    originator: Eui64Text | None = None
    """Who commands with it, where not `lab.contingency.ORIGINATOR`."""
    public_key: Annotated[str, Field(pattern=hex_pattern(130))] | None = None
    """An uncompressed point of P-256, of a key that is kept elsewhere."""
    symmetric_key: Annotated[str, Field(pattern=hex_pattern(32))] | None = None
    """An AES key."""

    @model_validator(mode="after")
    def _both_or_none(self) -> ContingencyConfig:
        if (self.public_key is None) != (self.symmetric_key is None):
            raise ValueError("public_key and symmetric_key: both or none")
        return self


class KeyConfig(Declaration):
    """Whose keys are used. What the key store does not hold for a device, the lab's own authority makes."""

    authority: Literal["own", "keystore"] = "own"
    keystore: str | None = None
    """Path of a key store file or folder, relative to the lab file."""
    contingency: ContingencyConfig | None = None

    @model_validator(mode="after")
    def _keystore_when_used(self) -> KeyConfig:
        if (self.authority == "keystore") != (self.keystore is not None):
            raise ValueError('keystore: a path with authority = "keystore", and only then')
        if self.contingency is not None and self.authority != "own":
            raise ValueError('contingency: with authority = "own" alone, whose root the devices have')
        return self


class TlsConfig(Declaration):
    """HTTPS for the services; with `client_authorities` every client must show a certificate. Paths of PEM
    files, relative to the lab file.
    """

    certificate: Annotated[str, Field(min_length=1)]
    key: Annotated[str, Field(min_length=1)]
    client_authorities: str | None = None


class CallbackTlsConfig(Declaration):
    """For call-backs to HTTPS addresses: whom to trust besides the system's authorities, and as whom to come.
    Paths of PEM files, relative to the lab file.
    """

    authorities: str | None = None
    certificate: str | None = None
    key: str | None = None

    @model_validator(mode="after")
    def _certificate_and_key(self) -> CallbackTlsConfig:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key: both or none")
        return self


_Port = Annotated[int, Field(ge=0, le=65535)]
_Callback = Annotated[str, Field(min_length=1, max_length=2000)]


class ServeConfig(Declaration):
    """How `smetslab serve` offers the services of this lab. Ports of 0 are chosen by the system.

    `callback` is HOST:PORT/PATH, with or without a scheme; `callbacks` are those of single service users by
    their EUI-64. `schema` is the folder of the published DUIS schemas. `epoch` says when laboratory time
    begins: now, at the lab file's own epoch, or at a given moment.
    """

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: _Port = DUIS_PORT
    smki_port: _Port = SMKI_PORT
    smki_api_key: str | None = SMKI_API_KEY
    callback: _Callback | None = DEFAULT_CALLBACK
    callbacks: dict[Eui64Text, _Callback] = Field(default_factory=dict)
    callback_delay_s: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] = 1.0
    schema_folder: str | None = None
    verify_signatures: bool = True
    check_validity: bool = False
    errors: Literal["http", "duis"] = "http"
    sign_acknowledgements: bool = False
    signing_certificate: str | None = None
    """Serial number (decimal) or name, in the key store, of the certificate that signs responses."""
    epoch: Literal["now", "lab"] | AwareDatetime = "now"
    stop_within_s: Annotated[float, Field(ge=0, le=600, allow_inf_nan=False)] = 10.0
    cad_broker: str | None = None
    """The MQTT broker that the consumer access devices publish to, such as mqtt://localhost."""
    tls: TlsConfig | None = None
    callback_tls: CallbackTlsConfig = CallbackTlsConfig()

    @field_validator("cad_broker")
    @classmethod
    def _broker_is_one(cls, value: str | None) -> str | None:
        try:
            _ = None if value is None else Broker.of(value)
        except UsageError as error:
            raise ValueError(str(error)) from error
        return value

    @field_validator("callback", "callbacks")
    @classmethod
    def _callbacks_are_addresses(cls, value: Any) -> Any:
        for callback in value.values() if isinstance(value, dict) else [value]:
            try:
                _ = None if callback is None else callback_url(callback)
            except UsageError as error:
                raise ValueError(str(error)) from error
        return value


class PartyConfig(Declaration):
    """A remote party: a service user, or the DCC in one of its roles."""

    name: _Name
    role: Annotated[RemotePartyRole, *named(PARTY_ROLES)]
    eui64: Eui64Text


class HubConfig(Declaration):
    """The Communications Hub of a premises."""

    profile: Annotated[str, Field(min_length=1)] = "chf-reference"
    eui64: Eui64Text
    state: dict[str, StateValue] = Field(default_factory=dict)
    quirks: tuple[Quirk, ...] = ()


class DeviceConfig(Declaration):
    """A device on the HAN of a premises."""

    name: _Name
    profile: Annotated[str, Field(min_length=1)]
    eui64: Eui64Text
    load_seed: Annotated[int, Field(ge=0)] | None = None
    """Seed of the device's own chance, its load profile above all; by default the run's seed decides."""
    supplier: _Name | None = None
    """The party that is the device's supplier; without one the first of that role."""
    handed_over: bool = True
    """False: a gas proxy as it leaves the factory, in the care of the DCC: the broker stands in the cells of
    supplier and network operator until a handover (6.21) replaces it.
    """
    installed: bool = True
    """False: the device has power but has not joined. It waits for CCS01 (8.11) with its install code; only
    on the air.
    """
    band: Literal["2.4 GHz", "sub-GHz"] = "2.4 GHz"
    """On which band its radio is; sub-GHz needs the air, and a hub with two bands."""
    outside: bool = False
    """True: another process plays the device on the air (`zep` of the HAN). Here it is known alone, and its
    profile says what it is; it joins with CCS01 (8.11).
    """
    state: dict[str, StateValue] = Field(default_factory=dict)
    quirks: tuple[Quirk, ...] = ()


class FaultConfig(Declaration):
    """A fault that happens to a device of the premises, `at_s` laboratory seconds after the beginning."""

    at_s: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    device: _Name = "hub"
    fault: Annotated[str, Field(min_length=1)]
    parameters: dict[str, int | str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _can_happen(self) -> FaultConfig:
        try:
            read_fault(self.fault, self.parameters)
        except UsageError as error:
            raise ValueError(str(error)) from error
        return self


class PremisesConfig(Declaration):
    """One home: a hub and the devices around it."""

    name: _Name
    hub: HubConfig
    devices: tuple[DeviceConfig, ...] = ()
    faults: tuple[FaultConfig, ...] = ()

    @model_validator(mode="after")
    def _faults_of_own_devices(self) -> PremisesConfig:
        names = ["hub", *(device.name for device in self.devices)]
        for fault in self.faults:
            if fault.device not in names:
                raise ValueError(f"faults: device {fault.device!r} is not one of {', '.join(names)}")
            if any(device.name == fault.device and device.outside for device in self.devices):
                raise ValueError(f"faults: device {fault.device!r} is played by another process")
        return self


class LabConfig(Declaration):
    """A whole laboratory."""

    schema_version: Literal[1]
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    epoch: AwareDatetime
    """When the laboratory's time begins."""
    time: TimeConfig = TimeConfig()
    store: StoreConfig = StoreConfig()
    wan: WanConfig = WanConfig()
    han: HanConfig = HanConfig()
    tolerances: ToleranceConfig = ToleranceConfig()
    keys: KeyConfig = KeyConfig()
    dcc: DccConfig = DccConfig()
    serve: ServeConfig = ServeConfig()
    parties: Annotated[tuple[PartyConfig, ...], Field(min_length=1)]
    premises: Annotated[tuple[PremisesConfig, ...], Field(min_length=1)]

    _source_name: str = PrivateAttr(default="")
    _source_text: bytes = PrivateAttr(default=b"")
    _base: Path | None = PrivateAttr(default=None)

    @field_validator("epoch")
    @classmethod
    def _epoch_in_utc(cls, epoch: AwareDatetime) -> AwareDatetime:
        if epoch.year not in YEARS:
            raise ValueError(f"the laboratory's time begins in the years {YEARS[0]} to {YEARS[-1]}")
        return epoch.astimezone(UTC)

    @model_validator(mode="after")
    def _names_and_identifiers_are_unique(self) -> LabConfig:
        _refuse_repeats("party name", (party.name for party in self.parties))
        _refuse_repeats("premises name", (premises.name for premises in self.premises))
        _refuse_repeats("EUI-64", (str(eui64) for eui64 in self._identifiers()))
        for premises in self.premises:
            _refuse_repeats(
                f"device name in premises {premises.name}", (dev.name for dev in premises.devices)
            )
        return self

    @model_validator(mode="after")
    def _sub_ghz_is_on_the_air(self) -> LabConfig:
        for premises in self.premises:
            for device in premises.devices:
                if device.band == "sub-GHz" and self.han.kind != "radio":
                    raise ValueError(
                        f"device {device.name} of premises {premises.name}: band: there is no air"
                    )
        return self

    @model_validator(mode="after")
    def _parties_that_are_needed(self) -> LabConfig:
        roles = [party.role for party in self.parties]
        for role in (RemotePartyRole.SUPPLIER, RemotePartyRole.ACCESS_CONTROL_BROKER):
            if role not in roles:
                raise ValueError(f"parties: none has the role {role.name.lower()}")
        if roles.count(RemotePartyRole.ACCESS_CONTROL_BROKER) > 1:
            raise ValueError("parties: more than one has the role access_control_broker")
        suppliers = [party.name for party in self.parties if party.role is RemotePartyRole.SUPPLIER]
        for premises in self.premises:
            for device in premises.devices:
                if device.supplier is not None and device.supplier not in suppliers:
                    raise ValueError(
                        f"device {device.name} of premises {premises.name}: supplier {device.supplier!r} "
                        f"is not one of {', '.join(suppliers)}"
                    )
        return self

    def _identifiers(self) -> Iterator[Eui64]:
        for party in self.parties:
            yield party.eui64
        for premises in self.premises:
            yield premises.hub.eui64
            for device in premises.devices:
                yield device.eui64

    @property
    def source_name(self) -> str:
        """The file this was read from, for messages and evidence."""
        return self._source_name

    @property
    def source_text(self) -> bytes:
        """The octets this was read from, for evidence."""
        return self._source_text

    @property
    def keystore_path(self) -> Path | None:
        """Where the key store of the remote parties is; None when the lab makes its own."""
        if self.keys.keystore is None:
            return None
        return self.path(self.keys.keystore)

    def path(self, text: str) -> Path:
        """A path as the lab file writes it: relative to the lab file's folder."""
        return (Path() if self._base is None else self._base) / text

    def party(self, role: RemotePartyRole) -> PartyConfig | None:
        """The first party of a role."""
        return next((party for party in self.parties if party.role is role), None)

    def profile_of(
        self,
        device: HubConfig | DeviceConfig,
        *,
        known_quirks: Collection[str] | None = None,
        known_state: Collection[str] | None = None,
    ) -> DeviceProfile:
        """The profile of one device of this lab, with what the lab file changes in it."""
        profile = load_profile(
            device.profile, base=self._base, known_quirks=known_quirks, known_state=known_state
        ).with_overrides(state=device.state, quirks=device.quirks)
        check_names(
            profile, self._source_name, "quirk", (quirk.name for quirk in profile.quirks), known_quirks
        )
        check_names(profile, self._source_name, "state setting", profile.state, known_state)
        return profile


def _refuse_repeats(what: str, values: Iterator[str]) -> None:
    seen: dict[str, None] = {}
    for value in values:
        if value in seen:
            raise ValueError(f"{what} {value} is used twice")
        seen[value] = None


def load_lab(path: str | Path | None = None, *, default: str = DEFAULT_NAME) -> LabConfig:
    """Read a lab file, or the built-in one `default`: one hub and one electricity meter, or a whole home.

    UsageError with file, key and reason when it is wrong.
    """
    if path is None:
        source = files("smetslab.lab") / default
        name, base = default, None
    else:
        source = Path(path)
        name, base = str(path), Path(path).parent
        if Path(path).is_dir():
            raise UsageError(f"{name}: a folder, not a lab file", hint=_HINT)
    text = read_octets(source, name)
    lab = parse(LabConfig, text, name, hint=_HINT)
    lab._source_name, lab._source_text, lab._base = name, text, base
    return lab


def lab_schema() -> dict[str, Any]:
    """The JSON schema of a lab file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **LabConfig.model_json_schema(mode="validation"),
        "title": "smetslab lab file",
    }
