"""A laboratory that runs: a `LabConfig` becomes a DCC, its users, and premises with their devices.

Composes, and does nothing else: every part comes from its own package and gets its clock, trace, seed,
store and keys from here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from types import MappingProxyType, TracebackType
from typing import Final, Literal, Self, TypeAlias

from smetslab.clock import LoopClock, VirtualLoop
from smetslab.crypto import SharedSecrets
from smetslab.dcc import DCC_IDENTITY, MockDcc
from smetslab.dcc.service_user import ServiceUser
from smetslab.devices.chf import CommunicationsHub
from smetslab.devices.conformance import check_conformance
from smetslab.devices.credentials import DeviceKeys, TrustAnchorStore
from smetslab.devices.esme import Esme
from smetslab.devices.faults import Faulty
from smetslab.devices.parts import DeviceParts
from smetslab.devices.profile import DeviceProfile, check_names
from smetslab.devices.quirks import known_quirks
from smetslab.errors import CertificateError, UsageError
from smetslab.gbcs.codes import CellUsage, DeviceType, KeyUsage, RemotePartyRole
from smetslab.han import ApsService, Han
from smetslab.han.air.medium import Medium
from smetslab.han.stack.home import RadioHome
from smetslab.han.zep_air import ZepAir, parse_host_port
from smetslab.ids import Eui64
from smetslab.lab import contingency, handover
from smetslab.lab.air import HubGate, make_han, reception, shared_medium, sub_ghz_channel
from smetslab.lab.air_faults import OnTheAir
from smetslab.lab.config import DeviceConfig, HubConfig, LabConfig, PartyConfig, PremisesConfig
from smetslab.lab.devices import (
    CONSTRUCTORS,
    KNOWN_STATE,
    HomeDevice,
    Parts,
    check_virtual,
)
from smetslab.lab.enlisting import RESPONSIBLE, USER_ROLES, enlist
from smetslab.lab.faults import PlannedFault, planned_faults
from smetslab.lab.rules import dcc_rules
from smetslab.lab.shard import Shard
from smetslab.pki import Authority, Certificate, KeyRing, Party, load_keystore
from smetslab.pki.certificate import DSP_XML_SIGN_ROLE, XML_SIGN_ROLE
from smetslab.registry import (
    Inventory,
    User,
    UserDirectory,
)
from smetslab.rng import RootSeed
from smetslab.store import Nvm, Store
from smetslab.trace import Trace
from smetslab.wan import InProcessWan
from smetslab.wan.mqtt import MqttWan
from smetslab.wan.topics import parse_address
from smetslab.zigbee.capture.keys import CaptureKey

_SIGN = (KeyUsage.DIGITAL_SIGNATURE, CellUsage.MANAGEMENT)
_AGREE = (KeyUsage.KEY_AGREEMENT, CellUsage.MANAGEMENT)
_TOP_UP = (KeyUsage.KEY_AGREEMENT, CellUsage.PREPAYMENT_TOP_UP)

LabRole: TypeAlias = Literal["whole", "dcc", "premises"]
"""What of a laboratory runs in this process."""

_WAN_HINT: Final = "for example --wan mqtt://localhost/lab, or url under [wan] in the lab file"

CREDENTIALS: Final[Mapping[RemotePartyRole, tuple[tuple[KeyUsage, CellUsage], ...]]] = MappingProxyType(
    {
        RemotePartyRole.RECOVERY: (_SIGN,),
        RemotePartyRole.SUPPLIER: (_SIGN, _AGREE, _TOP_UP),
        RemotePartyRole.NETWORK_OPERATOR: (_SIGN, _AGREE),
        RemotePartyRole.ACCESS_CONTROL_BROKER: (_SIGN, _AGREE),
        RemotePartyRole.TRANSITIONAL_COS: (_SIGN,),
        RemotePartyRole.WAN_PROVIDER: (_SIGN,),
        RemotePartyRole.LOAD_CONTROLLER: (_SIGN, _AGREE),
        RemotePartyRole.OTHER: (_SIGN, _AGREE),
    }
)
"""Which keys a remote party of each role has. Spec: GBCS 12 (organisation certificates)."""


def lab_keystore(config: LabConfig) -> KeyRing:
    """Every key of a lab: those of its parties, of its devices and of the authorities above them.

    Made from the lab's seed, or with the parties' keys from the key store that the lab file names. Raises
    UsageError when that cannot be read.
    """
    authority = Authority(RootSeed(config.seed).child("pki"))
    devices = [eui64 for premises in config.premises for eui64 in _members(premises)]
    own = KeyRing(
        entry
        for eui64 in devices
        for entry in (
            authority.device(eui64, KeyUsage.DIGITAL_SIGNATURE),
            authority.device(eui64, KeyUsage.KEY_AGREEMENT),
        )
    )
    path = config.keystore_path
    if path is not None:
        return load_keystore(path).merged(own)
    parties = [
        entry
        for party in config.parties
        for entry in authority.party(
            Party(
                name=party.name,
                entity_id=party.eui64,
                role=party.role,
                uses=handover.uses(config, party.role, CREDENTIALS[party.role]),
                xml_role=_xml_role(party.role),
            )
        )
    ]
    return KeyRing([*authority.authorities(), *parties]).merged(own)


def _xml_role(role: RemotePartyRole) -> int | None:
    """The role of the certificate with which a party signs DUIS documents; None where it has none of its
    own.
    """
    if role is RemotePartyRole.ACCESS_CONTROL_BROKER:
        return DSP_XML_SIGN_ROLE
    return XML_SIGN_ROLE if role in USER_ROLES else None


def lab_profile(config: LabConfig, device: HubConfig | DeviceConfig) -> DeviceProfile:
    """The profile of a device with the lab file's changes; UsageError when it names what nobody knows."""
    profile = config.profile_of(device, known_quirks=known_quirks())
    known = KNOWN_STATE.get(profile.device_type)
    check_names(profile, config.source_name, "state setting", profile.state, known)
    check_conformance(profile, config.source_name)
    return profile


def lab_files(config: LabConfig) -> dict[str, bytes]:
    """The files a lab is made from, by the name they have in an evidence pack."""
    files = {"lab.toml": config.source_text}
    for premises in config.premises:
        members: list[HubConfig | DeviceConfig] = [premises.hub, *premises.devices]
        for device in members:
            profile = lab_profile(config, device)
            name = device.name if isinstance(device, DeviceConfig) else "hub"
            text = profile.model_dump_json(indent=2) + "\n"
            files[f"profiles/{premises.name}.{name}.json"] = text.encode()
    return files


def check_lab(config: LabConfig, keystore: KeyRing) -> None:
    """Raises UsageError when a lab could not be brought up: what is wrong with which device or party; or
    StoreError when its store cannot be opened.
    """
    for party in config.parties:
        for usage, cell_usage in CREDENTIALS[party.role]:
            try:
                keystore.private_key(party.eui64, usage, cell_usage)
            except CertificateError as error:
                raise UsageError(
                    f"party {party.name}: {error}", hint="give it a key in the key store"
                ) from error
    for premises in config.premises:
        sub_ghz_channel(config.han, premises, lab_profile(config, premises.hub))
        for device in premises.devices:
            profile = lab_profile(config, device)
            check_virtual(device.name, profile)
            handover.check(device, profile.device_type)
    contingency.key_of_devices(config, _root(keystore))
    with Store(config.store.url):
        pass


def _members(premises: PremisesConfig) -> tuple[Eui64, ...]:
    return (premises.hub.eui64, *(device.eui64 for device in premises.devices))


def _member(premises: PremisesConfig, name: str) -> Eui64:
    """The device of a home that has this name or EUI-64; `hub` is its hub."""
    named = {"hub": premises.hub.eui64, **{device.name: device.eui64 for device in premises.devices}}
    found = named.get(name)
    if found is None:
        found = next((eui64 for eui64 in named.values() if name in (str(eui64), eui64.dashed())), None)
    if found is None:
        raise UsageError(f"{name!r} is no device of {premises.name}", hint=f"names: {', '.join(named)}")
    return found


def _root(keystore: KeyRing) -> Certificate | None:
    """The root above the issuer of the organisations: the first that the lab's own authority has listed."""
    return next((c for c in keystore.authorities() if c.role is RemotePartyRole.ROOT), None)


class Lab:
    """A running laboratory; an async context manager on whatever loop runs: virtual time or real.

    `hubs` and `devices` are found by EUI-64, `hans` by the name of their premises, `users` by the name of
    their party in the lab file. `parties` are the names that the trace uses, from the service users to the
    devices, with what people call them.
    """

    def __init__(
        self,
        config: LabConfig,
        *,
        seed: RootSeed | None = None,
        keystore: KeyRing | None = None,
        memory: str = "",
        keep: int | None = None,
        role: LabRole = "whole",
        shard: Shard | None = None,
        grouped: bool = False,
    ) -> None:
        """Cheap. `keystore`: that of `lab_keystore(config)`, for who builds many labs of one
        configuration; `memory`: the name of a part of the store that is this lab's own and empty when it
        begins, without which the lab goes on with what an earlier one left there; `keep` bounds how many
        observations its trace keeps. `role`: the whole laboratory, or its DCC or its premises alone, which
        then meet on the broker that the configuration names; `shard`: which of the premises. `grouped`: its
        store groups commits, and whoever lets something out of this process waits for `store.durable` first,
        as the services and the WAN over a broker do.
        """
        if role != "whole" and config.wan.url is None:
            raise UsageError(f"a laboratory's {role} alone need a WAN between processes", hint=_WAN_HINT)
        self.role = role
        self.shard = Shard(1, 1) if shard is None else shard
        self.config = config
        self.seed = RootSeed(config.seed) if seed is None else seed
        self.keystore = lab_keystore(config) if keystore is None else keystore
        self.secrets = SharedSecrets()
        self.hubs: dict[Eui64, CommunicationsHub] = {}
        self.devices: dict[Eui64, HomeDevice] = {}
        self.hans: dict[str, Han] = {}
        self._air: Medium | None = None
        """What all homes hear, where they share it."""
        self.outside: dict[str, ZepAir] = {}
        """Where other processes come onto the air, by the name of the premises."""
        self.users: dict[str, ServiceUser] = {}
        self._memory = f"{memory}/" if memory else ""
        self._keep = keep
        self._grouped = grouped
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        config = self.config
        async with AsyncExitStack() as stack:
            self.clock = LoopClock(config.epoch, config.time.scale)
            self.trace = Trace(self.clock, self._keep)
            self.store = stack.enter_context(Store(config.store.url))
            if self._memory:
                self.store.forget(self._memory)
            if self._grouped:
                await stack.enter_async_context(self.store.grouping())
            self.wan = self._wan()
            await stack.enter_async_context(self.wan)
            if self.role != "premises":
                self.inventory = Inventory(self._nvm("registry"))
                self.dcc = self._dcc()
                self._enlist_all()
            if self.role != "dcc":
                self._air = shared_medium(config.han, self.clock, self.seed.child("air"))
                for premises in self.shard.of(config.premises):
                    await self._bring_up(premises, stack)
            if self.role != "premises":
                # Last: it goes on at once with what it acknowledged in an earlier run, and then every hub
                # must be on the WAN.
                await stack.enter_async_context(self.dcc)
                for party in config.parties:
                    if party.role in USER_ROLES:
                        self.users[party.name] = ServiceUser(
                            party.eui64, keystore=self.keystore, dcc=self.dcc
                        )
            await stack.enter_async_context(planned_faults(self.clock, self._planned_faults()))
            self._stack = stack.pop_all()
        return self

    def _planned_faults(self) -> list[PlannedFault]:
        """The faults of the lab file that happen to devices which run here."""
        planned: list[PlannedFault] = []
        for premises in self.config.premises:
            named = {device.name: device.eui64 for device in premises.devices}
            for fault in premises.faults:
                eui64 = named.get(fault.device, premises.hub.eui64)
                device = self.hubs.get(eui64) or self.devices.get(eui64)
                if device is not None:
                    planned.append(
                        PlannedFault(
                            at_s=fault.at_s,
                            device=self.faulty(eui64),
                            fault=fault.fault,
                            parameters=fault.parameters,
                        )
                    )
        return planned

    def faulty(self, eui64: Eui64) -> Faulty:
        """A device as faults are injected into it, those of its radio too. Raises UsageError."""
        device: Faulty | None = self.hubs.get(eui64) or self.devices.get(eui64)
        if device is None:
            raise UsageError(f"no device {eui64} in this lab")
        for premises in self.config.premises:
            han = self.hans.get(premises.name)
            if isinstance(han, RadioHome) and eui64 in _members(premises):
                return OnTheAir(device, han, self.clock, partial(_member, premises))
        return device

    def _wan(self) -> InProcessWan | MqttWan:
        """The WAN that the configuration names, not yet open."""
        config = self.config.wan
        if config.url is None:
            return InProcessWan(
                self.clock,
                self.trace,
                self.seed.child("wan"),
                latency_s=config.latency_s,
                jitter_s=config.jitter_s,
                loss_probability=config.loss_probability,
                duplicate_probability=config.duplicate_probability,
                nvm=self._nvm("wan") if self.store.outlives_process else None,
            )
        return MqttWan(
            parse_address(config.url),
            self.clock,
            self.trace,
            node=self.shard.name,
            head=self.role != "premises",
            hub_lost=self._hub_lost,
            hub_back=self._hub_back,
            durable=self.store.durable,
        )

    async def wan_connected(self, timeout_s: float) -> None:
        """Wait until the WAN is reached. Raises WanError when it takes too long."""
        if isinstance(self.wan, MqttWan):
            await self.wan.connected(timeout_s)

    def _hub_lost(self, hub: Eui64) -> None:
        self.dcc.hub_lost(hub)

    def _hub_back(self, hub: Eui64) -> None:
        self.dcc.hub_back(hub)

    def _enlist_all(self) -> None:
        """Everything that the lab file names stands in the inventory."""
        for premises in self.config.premises:
            members: list[HubConfig | DeviceConfig] = [premises.hub, *premises.devices]
            for member in members:
                device = member if isinstance(member, DeviceConfig) else None
                profile = lab_profile(self.config, member)
                anchors = self._anchors(profile.device_type, device)
                enlist(
                    self.inventory,
                    profile,
                    eui64=member.eui64,
                    hub=premises.hub.eui64,
                    device=device,
                    parties={
                        role: (party, anchors.role_of(party) is not None)
                        for role, party in self._parties(device).items()
                    },
                    products=self.dcc.rules.certified_products,
                    commissioned=self.config.epoch.date(),
                )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def is_on_air(self) -> bool:
        """Whether any HAN of the lab is on the simulated air, so that there is something to capture."""
        return any(isinstance(han, RadioHome) for han in self.hans.values())

    def capture_keys(self) -> list[CaptureKey]:
        """Every key of every HAN that is on the air."""
        homes = [han for han in self.hans.values() if isinstance(han, RadioHome)]
        return [key for home in homes for key in home.capture_keys()]

    @property
    def parties(self) -> Mapping[str, str]:
        users = {str(p.eui64): p.name for p in self.config.parties if p.role in USER_ROLES}
        broker = self.config.party(RemotePartyRole.ACCESS_CONTROL_BROKER)
        lanes = {**users, "dcc": "DCC", **({} if broker is None else {str(broker.eui64): "broker"})}
        for premises in self.config.premises:
            lanes[str(premises.hub.eui64)] = f"{premises.name} hub"
            lanes.update({str(d.eui64): f"{premises.name} {d.name}" for d in premises.devices})
        return lanes

    def esme(self, eui64: Eui64) -> Esme:
        """An electricity meter. Raises UsageError when there is none of that identifier."""
        device = self.devices.get(eui64)
        if not isinstance(device, Esme):
            raise UsageError(f"no electricity meter {eui64} in this lab")
        return device

    def secret(self, party: Eui64, device: Eui64) -> bytes:
        """The shared secret of a remote party and a device. Raises CertificateError when a key is missing."""
        private = self.keystore.private_key(party, KeyUsage.KEY_AGREEMENT)
        public = self.keystore.find(device, KeyUsage.KEY_AGREEMENT).certificate.public_key
        return self.secrets.get(private, public)

    def _nvm(self, owner: str) -> Nvm:
        return self.store.nvm(self._memory + owner)

    def _dcc(self) -> MockDcc:
        broker = self.config.party(RemotePartyRole.ACCESS_CONTROL_BROKER)
        return MockDcc(
            keystore=self.keystore,
            wan=self.wan,
            clock=self.clock,
            trace=self.trace,
            nvm=self._nvm("dcc"),
            inventory=self.inventory,
            users=UserDirectory(
                User(party=party.eui64, roles=USER_ROLES[party.role])
                for party in self.config.parties
                if party.role in USER_ROLES
            ),
            rules=dcc_rules(self.config),
            identity=DCC_IDENTITY if broker is None else broker.eui64,
            seed=self.seed.child("dcc"),
        )

    async def _bring_up(self, premises: PremisesConfig, stack: AsyncExitStack) -> None:
        config, hub_id = self.config, premises.hub.eui64
        seed = self.seed.child(f"premises.{premises.name}")
        hub_profile = lab_profile(config, premises.hub)
        sub_ghz = sub_ghz_channel(config.han, premises, hub_profile)
        medium = self.hans[premises.name] = make_han(
            config.han, self.clock, self.trace, seed.child("han"), medium=self._air, sub_ghz=sub_ghz
        )
        if isinstance(medium, RadioHome):
            medium.medium.coarse_time = not isinstance(asyncio.get_running_loop(), VirtualLoop)
        anchors = self._anchors(DeviceType.CHF, None)
        hub = CommunicationsHub(
            profile=hub_profile,
            eui64=hub_id,
            keys=DeviceKeys.from_keystore(self.keystore, hub_id),
            trust_anchors=anchors,
            nvm=self._nvm(str(hub_id)),
            han=medium.link(hub_id, nvm=self._nvm(f"{hub_id}/radio")),
            wan=self.wan,
            clock=self.clock,
            trace=self.trace,
            rng=seed.child("hub"),
        )
        if isinstance(medium, RadioHome):
            hub.radio.reception = partial(reception, medium)
            if medium.hub.sub_ghz_server is not None:
                hub.radio.attach(medium.hub.sub_ghz_server)
        self.hubs[hub_id] = await stack.enter_async_context(hub)
        profiles = {device.eui64: lab_profile(config, device) for device in premises.devices}
        self._let_join(medium, hub, profiles)
        kinds = list(CONSTRUCTORS)
        ordered = sorted(premises.devices, key=lambda one: kinds.index(profiles[one.eui64].device_type))
        proxies = [eui64 for eui64, one in profiles.items() if one.device_type is DeviceType.GPF]
        await self._open_air(premises, medium, seed, stack)
        for device in ordered:
            if device.outside:
                continue
            profile = profiles[device.eui64]
            anchors = self._anchors(profile.device_type, device)
            parts = Parts(
                device=DeviceParts(
                    profile=profile,
                    eui64=device.eui64,
                    keys=DeviceKeys.from_keystore(self.keystore, device.eui64),
                    trust_anchors=anchors,
                    nvm=self._nvm(str(device.eui64)),
                    han=self._link(medium, device, profile.device_type, hub_id),
                    clock=self.clock,
                    trace=self.trace,
                    rng=self._device_seed(seed, device),
                ),
                hub=hub,
                proxy=proxies[0] if proxies else None,
                neighbours={
                    one.eui64: self.devices[one.eui64]
                    for one in premises.devices
                    if one.eui64 in self.devices
                },
            )
            made = CONSTRUCTORS[profile.device_type](parts)
            self.devices[device.eui64] = await stack.enter_async_context(made)
            if profile.device_type is DeviceType.GPF:
                hub.inside.append(made)
            elif device.installed:
                hub.device_log.add(device.eui64, profile.device_type)

    async def _open_air(
        self, premises: PremisesConfig, han: Han, seed: RootSeed, stack: AsyncExitStack
    ) -> None:
        """Let other processes onto the air of a home, where the lab file says so."""
        outside = [device for device in premises.devices if device.outside]
        address = self.config.han.zep
        if address is None or not isinstance(han, RadioHome):
            if outside:
                raise UsageError(
                    f"device {outside[0].name} is played by another process, which has no way in",
                    hint='outside = true needs kind = "radio" and zep = "HOST:PORT" in the section [han]',
                )
            return
        host, port = parse_host_port(address)
        # Each home at a port of its own, the same whichever process runs it.
        own = port + self.config.premises.index(premises) if port else 0
        han.expected.update((device.eui64, None) for device in outside)
        air = ZepAir(han, host, own, seed.child("outside"))
        self.outside[premises.name] = await stack.enter_async_context(air)

    def _let_join(self, medium: Han, hub: CommunicationsHub, profiles: Mapping[Eui64, DeviceProfile]) -> None:
        """Have the hub's Device Log decide who joins the network, and who is sent away."""
        if isinstance(medium, RadioHome):
            types = {eui64: profile.device_type for eui64, profile in profiles.items()}
            hub.removed = medium.open_gate(HubGate(hub, types)).remove

    def install_code(self, device: Eui64) -> bytes:
        """What is printed on a device, 16 octets without check: it goes into the request 8.11."""
        return self.seed.octets(f"install code {device}", 16)

    def _link(self, medium: Han, device: DeviceConfig, device_type: DeviceType, hub: Eui64) -> ApsService:
        """The radio of a device: the gas proxy has that of its hub, and a gas meter's is off most times."""
        eui64 = device.eui64
        nvm = self._nvm(f"{eui64}/radio")
        if device_type is DeviceType.GPF:
            if device.band == "sub-GHz":
                raise UsageError(f"device {device.name}: a gas proxy is on the upper band of its hub")
            return medium.link(eui64, on=hub, nvm=nvm)
        sleepy = device_type is DeviceType.GSME
        if not isinstance(medium, RadioHome):
            if device.installed:
                return medium.link(eui64, sleepy=sleepy, nvm=nvm)
            raise UsageError(
                f"device {device.name} cannot join: there is no air",
                hint='installed = false needs a section [han] with kind = "radio"',
            )
        return medium.link(
            eui64,
            sleepy=sleepy,
            sub_ghz=device.band == "sub-GHz",
            nvm=nvm,
            install_code=self.install_code(eui64),
            joined=device.installed,
        )

    def _anchors(self, device_type: DeviceType, device: DeviceConfig | None) -> TrustAnchorStore:
        """The trust anchor cells of a new device; with a key store from elsewhere nobody has its root."""
        root = None if self.config.keystore_path else _root(self.keystore)
        parties = handover.holders(device, self._parties(device), RESPONSIBLE)
        return TrustAnchorStore.for_device(
            device_type,
            self.keystore,
            parties,
            root=root,
            contingency=contingency.key_of_devices(self.config, root),
        )

    def _device_seed(self, seed: RootSeed, device: DeviceConfig) -> RootSeed:
        """A device's own seed; a `load_seed` in the lab file fixes it whatever the run's seed is."""
        own = seed if device.load_seed is None else RootSeed(device.load_seed)
        return own.child(f"device.{device.eui64}")

    def _parties(self, device: DeviceConfig | None) -> dict[RemotePartyRole, Eui64]:
        """The party of each role as a device sees it: the first of the role, and its own supplier."""
        chosen: dict[RemotePartyRole, PartyConfig] = {}
        for party in self.config.parties:
            chosen.setdefault(party.role, party)
            if device is not None and party.name == device.supplier:
                chosen[party.role] = party
        return {role: party.eui64 for role, party in chosen.items()}
