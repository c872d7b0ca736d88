"""Gives devices the world of the Reference Test Data Set, executes its commands, and compares the answers.

The published devices' private keys are not published: a device has new ones, and every command is protected
for it anew. Only after the device has acted is the published response or alert read.

Spec: RTDS 4.5.0; GBCS 6.2 (protection), 9.2 (future dating).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from smetslab.clock import StandingClock
from smetslab.crypto import SharedSecrets
from smetslab.devices.credentials import DeviceKeys
from smetslab.devices.events import COMMAND_NOT_SUPPORTED
from smetslab.devices.payload_engine import Fault
from smetslab.devices.work import Workplace
from smetslab.errors import CertificateError, CodecError, UsageError
from smetslab.gbcs.codes import CellUsage, CounterFamily, KeyUsage, RemotePartyRole
from smetslab.gbcs.dlms.apdu import AccessRequest, decode_apdu
from smetslab.gbcs.keys import mac_secrets, role_of
from smetslab.gbcs.message import Message, decode_message, encode_message
from smetslab.gbcs.security import with_mac, with_signature
from smetslab.gbcs.usecases import decode_content, encode_content, find
from smetslab.gbcs.usecases.dlms import DlmsAccess
from smetslab.gbcs.usecases.registry import by_code
from smetslab.gbcs.utrn import ValueClass, build_utrn, full_counter, parse_utrn, verify_utrn
from smetslab.gbcs.values import Value
from smetslab.ids import Eui64
from smetslab.pki import Authority, KeyRing, TrustAnchor
from smetslab.pki.lookup import RingLookup
from smetslab.rng import RootSeed
from smetslab.rtds.anchors import find_anchors
from smetslab.rtds.compare import Finding, Outcome, compare
from smetslab.rtds.key_folders import load_keys
from smetslab.rtds.path import RadioPath, Reach
from smetslab.rtds.rules import Circumstances, circumstances, fault_place
from smetslab.rtds.scenarios import Scenario, find_scenarios, read_message
from smetslab.rtds.worlds import WORLDS, ReplayDevice, Site, Stage, World
from smetslab.store import Store
from smetslab.trace import Trace

RTDS_TIME: Final = datetime(2015, 1, 1, tzinfo=UTC)
"""The time of the published vectors."""

NOT_SUPPORTED: Final = f"{COMMAND_NOT_SUPPORTED:04X}"

_DS, _KA = KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)


class ScenarioRow(_Model):
    """What became of one scenario."""

    scenario: str
    outcome: Outcome
    first_difference: str | None


class ReplaySummary(_Model):
    """The rows, counted."""

    scenarios: int
    equal: int
    same_structure: int
    different: int
    unsupported: int


class ReplayReport(_Model):
    """The whole replay, without anything that differs between two runs over the same files."""

    schema_version: Literal[1] = 1
    summary: ReplaySummary
    scenarios: list[ScenarioRow]

    @property
    def passed(self) -> bool:
        return self.summary.different == self.summary.unsupported == 0


def replay_schema() -> dict[str, JsonValue]:
    """The JSON schema of `ReplayReport`."""
    return ReplayReport.model_json_schema(mode="serialization")


def replay_folder(
    folder: Path | str,
    *,
    keystore: Path | str | None = None,
    worlds: tuple[World, ...] = WORLDS,
    path: RadioPath | None = None,
) -> ReplayReport:
    """Replay every scenario below `folder` with the keys of `keystore`, or of the PEM files below or beside
    `folder`. With a `path` every message crosses a home network on the air.

    Raises UsageError when there is no scenario, or a key store cannot be loaded.
    """
    root = Path(folder)
    scenarios = find_scenarios(root)
    published = _keys(root, keystore)
    with Store() as store:
        replayer = Replayer(published, store, worlds, anchors=find_anchors(scenarios.values()), path=path)
        rows = [replayer.run(scenario, scenarios) for scenario in scenarios.values()]
    return ReplayReport(summary=_summary(rows), scenarios=rows)


class Replayer:
    """Runs scenarios, each on a device of its own."""

    def __init__(
        self,
        published: KeyRing,
        store: Store,
        worlds: tuple[World, ...] = WORLDS,
        *,
        anchors: tuple[TrustAnchor, ...] = (),
        path: RadioPath | None = None,
    ) -> None:
        """`published`: the key store of the data set; `anchors`: which issuers devices trust; `path`: what
        carries messages between hub and device, by default nothing does.
        """
        self._path = path
        self._store = store
        self._worlds = {world.entity: world for world in worlds}
        made = self._spare = Authority(RootSeed(2015)).keystore(tuple(self._worlds))
        self._anchors = (*anchors, *(TrustAnchor.of(authority) for authority in made.authorities()))
        ours = KeyRing(entry for entry in made.entries if entry.certificate.entity_id in self._worlds)
        self._published = RingLookup(published)
        others = [entry for entry in published.entries if entry.certificate.entity_id not in self._worlds]
        self._ring = KeyRing([*ours.entries, *others])
        self._lookup = RingLookup(self._ring)
        self._secrets = SharedSecrets()
        self._serial = 0

    def run(self, scenario: Scenario, scenarios: Mapping[str, Scenario]) -> ScenarioRow:
        """Replay one scenario; `scenarios` are all, among them the command that an alert follows from."""
        try:
            found = self._run(scenario, scenarios)
        except _UnsupportedError as error:
            found = Finding("unsupported", str(error))
        return ScenarioRow(
            scenario=scenario.name, outcome=found.outcome, first_difference=found.first_difference
        )

    def _run(self, scenario: Scenario, scenarios: Mapping[str, Scenario]) -> Finding:
        path = scenario.command or scenario.pre_command
        if path is not None and scenario.response is not None:
            return self._answer(scenario, read_message(path), scenario.response)
        if scenario.alert is not None:
            return self._alert(scenario, scenarios, scenario.alert)
        if scenario.response is not None:
            sent = self._provoked(scenario, "ResponseSent")
            return self._best(sent, scenario.response) if sent else Finding("different", "no response")
        raise _UnsupportedError("a command without its response")

    # ---------------------------------------------------------------------------- commands

    def answer(self, name: str, command: Message) -> tuple[Message | None, str]:
        """What a device of the world of the scenario `name` answers to a command, or why it does not.

        `name`: FOLDER/STEM, whether or not the data set has it. Raises UsageError when there is no such
        device or a key for the command is missing.
        """
        try:
            return self._response(name, command)
        except _UnsupportedError as error:
            raise UsageError(f"{name}: {error}") from error

    def alerts(self, name: str, command: Message) -> list[Message]:
        """The alerts that follow from a dated command, when its time has come, in the world of `name`.

        Raises UsageError as `answer` does.
        """
        try:
            return self._dated(name, command)
        except _UnsupportedError as error:
            raise UsageError(f"{name}: {error}") from error

    def _answer(self, scenario: Scenario, command: Message, response: Path) -> Finding:
        sent, silence = self._response(scenario.name, command)
        if sent is None:
            return Finding("different", f"no response: {silence}")
        return self._best([sent], response)

    def _response(self, name: str, command: Message) -> tuple[Message | None, str]:
        world = self._world(command.business_target_id)
        told = circumstances(name, world.rules)
        run = self._device(world, told, command)
        self._send(run, command, told)
        sent = run.sent("ResponseSent")
        return (sent[0], "") if sent else (None, run.silence())

    def _send(self, run: _Run, command: Message, told: Circumstances) -> None:
        if told.faulty:
            place = fault_place(told.fault_item, _item_count(command))
            run.device.application.command_fault = Fault(place, told.fault_result)
        run.receive(self._protect(command))

    # ---------------------------------------------------------------------------- alerts

    def _alert(self, scenario: Scenario, scenarios: Mapping[str, Scenario], alert: Path) -> Finding:
        command = _command_before(scenario, scenarios)
        if command is None:
            sent = self._provoked(scenario, "AlertSent")
        else:
            sent = self._dated(scenario.name, read_message(command))
        return self._best(sent, alert) if sent else Finding("different", "no alert")

    def _best(self, sent: list[Message], path: Path) -> Finding:
        """Only now is the published message read: the one of ours that is most like it counts."""
        published = read_message(path)
        found = [compare(message, self._lookup, published, self._published) for message in sent]
        return min(found, key=lambda finding: (_RANKS[finding.outcome], finding.differences))

    def _dated(self, name: str, command: Message) -> list[Message]:
        """Execute a command that is dated, and go on to its time."""
        world = self._world(command.business_target_id)
        told = circumstances(name, world.rules)
        run = self._device(world, told, command)
        self._send(run, command, replace(told, faulty=False))
        application = run.device.application
        if told.faulty:
            application.activation_fault = Fault(max(told.fault_item, 0), told.fault_result)
        moment = application.next_deadline()
        if moment is not None:
            application.tick(moment)
        return run.sent("AlertSent")

    def _provoked(self, scenario: Scenario, event: str) -> list[Message]:
        """Let happen what the alert tells of, or send the command that the response answers."""
        for world in self._worlds.values():
            cause = world.cause_of(scenario.name)
            if cause is not None:
                run = self._device(world, circumstances(scenario.name, world.rules))
                cause(
                    Stage(
                        device=run.device,
                        now=RTDS_TIME,
                        send=partial(self._send_plain, run),
                        scenario=scenario.name,
                        site=run.site,
                    )
                )
                return run.sent(event)
        raise _UnsupportedError("no device here has a cause of this message")

    def _send_plain(self, run: _Run, command: Message) -> None:
        run.receive(self._protect(command))

    # ---------------------------------------------------------------------------- devices and keys

    def _world(self, entity: Eui64) -> World:
        world = self._worlds.get(entity)
        if world is None:
            raise _UnsupportedError(f"no device here is {entity}")
        return world

    def _device(self, world: World, told: Circumstances, command: Message | None = None) -> _Run:
        """A new device, in the world that the scenario needs."""
        self._serial += 1
        clock = StandingClock(RTDS_TIME)
        nvm = self._store.nvm(f"{world.name}/{self._serial}")
        trace = Trace(clock)
        place = Workplace(world.entity, nvm, trace)
        keys = DeviceKeys.from_keystore(self._ring, world.entity)
        site = Site(
            eui64=world.entity,
            ring=self._ring,
            keys=self._with_published_certificates(keys, world.entity),
            secrets=self._secrets,
            workplace=place,
            now=RTDS_TIME,
            overlays=told.overlays,
            alert_counter=told.alert_counter,
            command=command,
            anchors=self._anchors,
            spare=self._spare,
        )
        return _Run(world.build(site), place, trace, site, world.reach, self._path)

    def _with_published_certificates(self, keys: DeviceKeys, entity: Eui64) -> DeviceKeys:
        """A device shows the certificates that it had when the vectors were made."""
        try:
            return replace(
                keys,
                ds_certificate=self._published.ring.find(entity, _DS).certificate,
                ka_certificate=self._published.ring.find(entity, _KA).certificate,
            )
        except CertificateError:
            return keys

    def _protect(self, command: Message) -> bytes:
        """A published command as its senders would protect it for the device with the new keys."""
        message = self._own_tokens(command)
        signed, maced = bool(command.signature), command.message_mac is not None
        use_case = find(command)
        if command.signature is None and not maced and use_case is not None:  # a pre-command
            role = role_of(command.business_originator_id, self._lookup) or RemotePartyRole.SUPPLIER
            signed, maced = use_case.command_protection(role, next(iter(use_case.devices)))
        if signed and (not command.signature or message is not command):
            message = self._signed(message)
        if maced:
            secrets = mac_secrets(message, self._lookup)
            if not secrets:
                raise _UnsupportedError("no key for the MAC of the command")
            message = with_mac(message, secrets[0])
        return encode_message(message)

    def _signed(self, message: Message) -> Message:
        key = self._lookup.signing_key(message.business_originator_id)
        if key is None:
            raise _UnsupportedError(f"no signing key of {message.business_originator_id}")
        return with_signature(message, key)

    def _own_tokens(self, command: Message) -> Message:
        """The command with a top-up token that is authentic for the published device made anew for ours."""
        use_case = by_code(command.message_code)
        # From a supplier, or from a device of the home, that passes on what somebody has entered.
        if use_case is None or not (
            use_case.counter_family is CounterFamily.UTRN or not use_case.originator_roles
        ):
            return command
        try:
            parameters = decode_content(use_case, command)
            changed = _mapped(parameters, lambda text: self._own_token(text, command))
            content = encode_content(use_case, command, changed) if isinstance(changed, dict) else b""
        except CodecError:
            return command
        return command if content == command.content else replace(command, content=content)

    def _own_token(self, text: str, command: Message) -> str:
        supplier, device = self._top_up_supplier(command), command.business_target_id
        try:
            utrn = parse_utrn(text)
            private = self._ring.private_key(supplier, _KA, CellUsage.PREPAYMENT_TOP_UP)
            published = self._published.ring.find(device, _KA).certificate.public_key
            own = self._ring.find(device, _KA).certificate.public_key
        except (CodecError, CertificateError):
            return text
        counter = command.originator_counter
        if supplier != command.business_originator_id:
            counter = full_counter(utrn.truncated_counter, 0)
        authentic = verify_utrn(
            utrn,
            counter=counter,
            secret=self._secrets.get(private, published),
            supplier=supplier,
            device=device,
        )
        # The published token of a device of the home has no MAC at all.
        if not authentic and any(utrn.mac_part):
            return text
        return build_utrn(
            counter=counter,
            value_class=ValueClass(utrn.value_class),
            value=utrn.value,
            secret=self._secrets.get(private, own),
            supplier=supplier,
            device=device,
        ).digits

    def _top_up_supplier(self, command: Message) -> Eui64:
        """Who has made the token of a command: its originator, or for a device the supplier of its home."""
        originator = command.business_originator_id
        makers = [
            entry.certificate.entity_id
            for entry in self._ring.entries
            if entry.cell_usage is CellUsage.PREPAYMENT_TOP_UP and entry.private_key is not None
        ]
        known = [maker for maker in makers if maker is not None]
        return originator if originator in known or not known else known[0]


class _UnsupportedError(Exception):
    """A scenario that no device here can run, and why."""


@dataclass(frozen=True, slots=True)
class _Run:
    """A device of one scenario, and everything that it has said."""

    device: ReplayDevice
    place: Workplace
    trace: Trace
    site: Site
    reach: Reach
    path: RadioPath | None

    def receive(self, command: bytes) -> None:
        """Bring the device a command."""
        if self.path is not None:
            command = self.path.down(self.site.eui64, self.reach, command)
        self.device.receive(command, RTDS_TIME)

    def sent(self, event: str) -> list[Message]:
        """The messages that have left as `ResponseSent` or `AlertSent`, as they have arrived."""
        said = [message.data for message in self.place.outbox if message.event == event]
        if self.path is not None:
            said = [self.path.up(self.site.eui64, self.reach, octets) for octets in said]
        return [decode_message(octets) for octets in said]

    def silence(self) -> str:
        """Why there was no response."""
        if any(message.detail.get("code") == NOT_SUPPORTED for message in self.place.outbox):
            return "the device does not support the command"
        seen = [one for one in self.trace.observations if one.event in _SILENCES]
        if not seen:
            return "nothing was said"
        detail = " ".join(str(value) for name, value in seen[-1].detail.items() if name != "step")
        return f"{seen[-1].event} {detail}"


_SILENCES: Final = ("MessageDropped", "CommandRefused", "ResponseNotSendable")


_RANKS: Final[Mapping[Outcome, int]] = {"equal": 0, "same_structure": 1, "different": 2, "unsupported": 3}


def _item_count(command: Message) -> int:
    """How many items of a command may fail: those of an access list, or the components of a GBZ payload,
    where each attribute that is read is one of its own."""
    use_case = by_code(command.message_code)
    if use_case is None:
        return 1
    try:
        if isinstance(use_case.payload, DlmsAccess):
            apdu = decode_apdu(command.content)
            return len(apdu.specifications) if isinstance(apdu, AccessRequest) else 1
        components = decode_content(use_case, command).get("components")
    except CodecError:
        return 1
    return sum(_width(one) for one in components) if isinstance(components, list) else 1


def _width(component: Value) -> int:
    attributes = component.get("attributes") if isinstance(component, dict) else None
    return len(attributes) if isinstance(attributes, list) else 1


def _command_before(scenario: Scenario, scenarios: Mapping[str, Scenario]) -> Path | None:
    """The command whose activation an alert tells of: its name is the alert's, without code and object."""
    plain = scenario.stem.replace("_8F66", "").replace("_8F67", "")
    if plain == scenario.stem:
        return None
    fitting = [
        other
        for other in scenarios.values()
        if other.folder == scenario.folder
        and (other.command or other.pre_command)
        and (plain == other.stem or plain.startswith(other.stem + "_"))
    ]
    best = max(fitting, key=lambda other: len(other.stem), default=None)
    return None if best is None else best.command or best.pre_command


def _mapped(value: Value, change: Callable[[str], str]) -> Value:
    """`value` with every text in it changed."""
    if isinstance(value, dict):
        return {name: _mapped(inner, change) for name, inner in value.items()}
    if isinstance(value, list):
        return [_mapped(inner, change) for inner in value]
    return change(value) if isinstance(value, str) else value


def _keys(root: Path, keystore: Path | str | None) -> KeyRing:
    """The keys of the data set. Raises UsageError when there are none."""
    ring = load_keys(root, keystore)
    if not ring.entries:
        raise UsageError(f"{root} holds no key store", hint="--keys KEYSTORE")
    return ring


def _summary(rows: list[ScenarioRow]) -> ReplaySummary:
    outcomes = [row.outcome for row in rows]
    return ReplaySummary(
        scenarios=len(rows),
        equal=outcomes.count("equal"),
        same_structure=outcomes.count("same_structure"),
        different=outcomes.count("different"),
        unsupported=outcomes.count("unsupported"),
    )
