"""A device of any type with nothing but its ASN.1 use cases, a head end that speaks for every party, and
the commands that replace credentials.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from smetslab.clock import StandingClock
from smetslab.crypto import PrivateKey, SharedSecrets
from smetslab.devices.application import Application, Station
from smetslab.devices.clock import ClockStatus, DeviceClock
from smetslab.devices.counters import UtrnCache
from smetslab.devices.credentials import DeviceKeys, TrustAnchorStore
from smetslab.devices.quirks import Quirks
from smetslab.devices.security.contingency import ContingencyKey
from smetslab.devices.security.installed import Hooks, SecuritySettings, install_security
from smetslab.devices.security.modes import MODES
from smetslab.devices.security.names import cell_identifier, role_name
from smetslab.devices.work import Outgoing, Workplace
from smetslab.gbcs.codes import CellUsage, Cra, DeviceType, KeyUsage, RemotePartyRole
from smetslab.gbcs.message import Message, OtherInformation, decode_message, encode_message
from smetslab.gbcs.security import verify_signature, with_mac, with_signature
from smetslab.gbcs.usecases import engine
from smetslab.gbcs.usecases.registry import USE_CASES, find
from smetslab.gbcs.values import Parameters
from smetslab.ids import Eui64
from smetslab.pki import Authority, Certificate, KeyRing
from smetslab.rng import RootSeed
from smetslab.store import PowerCut, Store
from smetslab.trace import Trace

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DEVICE = Eui64.parse("00DB1234567890A0")
PEER = Eui64.parse("00DB1234567890A4")
SECOND_SUPPLIER = Eui64.parse("90B3D51F30030000")
PARTIES = {
    RemotePartyRole.RECOVERY: Eui64.parse("90B3D51F30000001"),
    RemotePartyRole.ACCESS_CONTROL_BROKER: Eui64.parse("90B3D51F30000002"),
    RemotePartyRole.TRANSITIONAL_COS: Eui64.parse("90B3D51F30000004"),
    RemotePartyRole.WAN_PROVIDER: Eui64.parse("90B3D51F30000007"),
    RemotePartyRole.SUPPLIER: Eui64.parse("90B3D51F30010000"),
    RemotePartyRole.NETWORK_OPERATOR: Eui64.parse("90B3D51F30020000"),
    RemotePartyRole.LOAD_CONTROLLER: Eui64.parse("90B3D51F30010008"),
}
BROKER = PARTIES[RemotePartyRole.ACCESS_CONTROL_BROKER]
SUPPLIER = PARTIES[RemotePartyRole.SUPPLIER]
AUTHORITY = Authority(RootSeed(11))
RING = AUTHORITY.keystore((DEVICE, PEER))

_DS, _KA = KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT


class Kit:
    """One device, the time, and the keys that parties sign with, which a test may change."""

    def __init__(
        self,
        store: Store,
        device_type: DeviceType = DeviceType.ESME,
        *,
        settings: SecuritySettings | None = None,
        parties: dict[RemotePartyRole, Eui64] | None = None,
        quirks: tuple[str, ...] = (),
        status: ClockStatus = ClockStatus.RELIABLE,
        owner: str = "device",
        hooks: dict[str, Any] | None = None,
        ring: KeyRing = RING,
        contingency: ContingencyKey | None = None,
    ) -> None:
        self.contingency = contingency
        self.ring = ring
        self.clock = StandingClock(NOW)
        self.nvm = store.nvm(owner)
        self.device_type = device_type
        self.settings = settings
        self.status = status
        self.hooks = hooks or {}
        self.signers: dict[Eui64, PrivateKey] = {}
        """Other signing keys than those of the key store."""
        self.broker = RING.private_key(BROKER, _KA)
        self.secrets = SharedSecrets()
        self.quirks = Quirks.of(quirks)
        self.parties = PARTIES if parties is None else parties
        self.alerts: list[Message] = []
        self.trace = Trace(self.clock)  # type: ignore[arg-type]
        self.power_on()

    def power_on(self) -> None:
        station = Station(
            eui64=DEVICE,
            device_type=self.device_type,
            keys=DeviceKeys.from_keystore(self.ring, DEVICE),
            trust_anchors=TrustAnchorStore.for_device(
                self.device_type,
                self.ring,
                self.parties,
                root=AUTHORITY.root.certificate,
                contingency=self.contingency,
            ),
            secrets=self.secrets,
            quirks=self.quirks,
            supported=lambda _use_case: True,
            answers_to=RemotePartyRole.SUPPLIER,
            first_alert_counter=100,
            seed=RootSeed(5),
        )
        self.place = Workplace(DEVICE, self.nvm, self.trace)
        self.time = DeviceClock(self.nvm, self.quirks, status=self.status, offset=timedelta())
        self.application = Application(station=station, workplace=self.place, clock=self.time)
        self.utrns = UtrnCache(self.nvm)
        self.security = install_security(
            self.application,
            station=station,
            workplace=self.place,
            clock=self.time,
            settings=self.settings,
            hooks=Hooks(set_top_up_floor=self.utrns.restart, **self.hooks),
        )

    @property
    def now(self) -> datetime:
        return self.clock.moment

    def command(
        self,
        name: str,
        parameters: Parameters | None = None,
        *,
        originator: Eui64 = SUPPLIER,
        counter: int = 1000,
        code: int | None = None,
        role: RemotePartyRole | None = None,
        **other: Any,
    ) -> bytes:
        """The octets of a command, protected as its use case asks for."""
        use_case = USE_CASES[name]
        header = Message(
            cra=Cra.COMMAND,
            originator_counter=counter,
            business_originator_id=originator,
            business_target_id=DEVICE,
            other_information=OtherInformation(message_code=use_case.code if code is None else code, **other),
            content=b"",
        )
        message = replace(header, content=engine.encode_content(use_case, header, parameters or {}))
        known = role or next((r for r, party in self.parties.items() if party == originator), None)
        protection = use_case.command_protection(known or RemotePartyRole.SUPPLIER, self.device_type)
        if protection.signature:
            key = self.signers.get(originator) or RING.private_key(originator, _DS)
            message = with_signature(message, key)
        if protection.message_mac:
            message = with_mac(message, self.secrets.get(self.broker, self.application.keys.ka.public))
        return encode_message(message)

    def send(self, data: bytes) -> list[Outgoing]:
        self.application.receive(data, self.now)
        return self.take()

    def take(self) -> list[Outgoing]:
        sent = list(self.place.outbox)
        for message in sent:
            if message.event == "AlertSent":
                self.alerts.append(decode_message(message.data))
            self.place.sent(message)
        return sent

    def ask(self, name: str, parameters: Parameters | None = None, **arguments: Any) -> Parameters:
        """The parameters of the one response."""
        answer = self.answer(self.command(name, parameters, **arguments))
        assert answer is not None, [one.event for one in self.trace.observations][-4:]
        return answer

    def answer(self, data: bytes) -> Parameters | None:
        """The parameters of the response to `data`; None when there is none. Its signature is checked."""
        responses = [decode_message(one.data) for one in self.send(data) if one.event == "ResponseSent"]
        if not responses:
            return None
        (message,) = responses
        if message.signature:
            certificate = self.application.keys.certificate(_DS)
            assert certificate is not None
            assert verify_signature(message, certificate.public_key)
        use_case = find(message)
        assert use_case is not None
        return engine.decode_content(use_case, message)

    def pass_time(self, duration: timedelta) -> None:
        end = self.now + duration
        while (due := self.application.next_deadline()) is not None and due <= end:
            self.clock.moment = due
            self.application.tick(due)
        self.clock.moment = end
        self.take()

    def power_cut(self) -> None:
        """Off and on again: what is not in memory is gone."""
        self.power_on()
        self.take()

    def told(self, alert: Message) -> Parameters:
        use_case = find(alert)
        assert use_case is not None
        return engine.decode_content(use_case, alert)

    def codes(self) -> list[str]:
        """The codes in the Security Log, the oldest first."""
        return [f"{entry.code:04X}" for entry in self.application.security_log.entries]


DS, KA, SIGN = KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT, KeyUsage.KEY_CERT_SIGN
MANAGEMENT, TOP_UP = CellUsage.MANAGEMENT, CellUsage.PREPAYMENT_TOP_UP
SUPPLIER_CELLS = (
    (RemotePartyRole.SUPPLIER, DS, MANAGEMENT),
    (RemotePartyRole.SUPPLIER, KA, MANAGEMENT),
    (RemotePartyRole.SUPPLIER, KA, TOP_UP),
)
Cell = tuple[RemotePartyRole, KeyUsage, CellUsage]


def fresh(authority: Authority, party: Eui64, cell: Cell, generation: int = 1) -> Certificate:
    """Another certificate of a party for a cell."""
    return authority.organisation(party, cell[0], cell[1], cell[2], generation=generation).certificate


def update(
    mode: str,
    counter: int,
    replacements: list[tuple[Certificate | bytes, Cell]],
    *,
    path: tuple[Certificate, ...],
    authorising: Cell | None = None,
    at: str = "immediate",
    floor: int | None = None,
    top_up_floor: int | None = None,
    others: list[tuple[RemotePartyRole, int]] | None = None,
    disapply: bool = False,
    control: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The parameters of a command."""
    row = MODES[mode]
    cell = authorising or (row.authorised_by, DS, MANAGEMENT)
    members: dict[str, Any] = {"credentials_replacement_mode": mode}
    if disapply:
        members["apply_time_based_cpv_checks"] = "disapply"
    if row.names_cell or authorising:
        members["authorising_remote_party_ta_cell_identifier"] = dict(cell_identifier(cell))
    members["authorising_remote_party_seq_number"] = counter
    if floor is not None:
        members["new_remote_party_floor_seq_number"] = floor
    if top_up_floor is not None:
        members["new_remote_party_specialist_floor_seq_number"] = [
            {"seq_number_usage": "prepaymentTopUp", "seq_number": top_up_floor}
        ]
    if others is not None:
        members["other_remote_party_seq_number_changes"] = [
            {
                "other_remote_party_role": role_name(role),
                "other_remote_party_floor_seq_number": number,
                **(
                    {
                        "new_remote_party_specialist_floor_seq_number": [
                            {"seq_number_usage": "prepaymentTopUp", "seq_number": number}
                        ]
                    }
                    if role is RemotePartyRole.SUPPLIER
                    else {}
                ),
            }
            for role, number in others
        ]
    return {
        "authorising_remote_party_control": {**members, **(control or {})},
        "replacements": [
            {
                "replacement_certificate": (one if isinstance(one, bytes) else one.der).hex().upper(),
                "target_trust_anchor_cell": dict(cell_identifier(target)),
            }
            for one, target in replacements
        ],
        "certification_path_certificates": [one.der.hex().upper() for one in path],
        "execution_date_time": at,
    }


def statuses(answer: dict[str, Any]) -> list[str]:
    """The status of each cell in a response or alert."""
    return [one["status_code"] for one in answer["execution_outcome"]["replacement_outcomes"]]


class Steps:
    """Watches the steps of commits, and cuts the power at one of them."""

    def __init__(self) -> None:
        self.at: int | None = None
        self.taken = 0

    def cut_at(self, step: int | None) -> None:
        """The power goes at so many steps from now; None: it stays."""
        self.at, self.taken = step, 0

    def __call__(self, name: str) -> None:
        del name
        self.taken += 1
        if self.taken == self.at:
            raise PowerCut
