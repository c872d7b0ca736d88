"""A home network as it is now, for people: who is in it, through whom, how well they hear, whose keys.

A view is a value without references into the stack, and plain enough to be JSON. It shows no key.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final, TypeAlias

from smetslab.han.air.bands import GHZ_2_4, SUB_GHZ
from smetslab.han.air.dual_band import DualBandMac
from smetslab.han.air.mac_entity import MacCounts, MacEntity
from smetslab.han.direct import DirectMedium
from smetslab.han.service import Han
from smetslab.han.stack.aps_entity import ApsCounts
from smetslab.han.stack.home import RadioHome
from smetslab.han.stack.network import COORDINATOR_ADDRESS, NodeKind
from smetslab.han.stack.node import RadioNode
from smetslab.han.stack.nwk_entity import NwkCounts
from smetslab.ids import Eui64
from smetslab.zigbee.mac_layer import NO_SHORT_ADDRESS

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | dict[str, Json] | None"

_ROLES: Final = {
    NodeKind.COORDINATOR: "coordinator",
    NodeKind.ROUTER: "router",
    NodeKind.SLEEPY_END_DEVICE: "sleepy end device",
    NodeKind.END_DEVICE: "end device",
}
_ORDINARY: Final = frozenset({"sent", "received", "relayed", "repeats"})
"""Counts that are about no refusal."""
_BAR: Final = 8
_MAX_LQI: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceView:
    """One radio of a home. `devices`: the logical devices on it; `parent`: the radio through which it reaches
    the hub, empty for the hub; `lqi` and `rssi_dbm`: how it hears that one; `loss`: the share of frames lost
    on the way there and back; `keys`: with whom it has a link key; `duty_cycle`: how much of the last hour a
    sub-GHz radio has sent, in 1/100 %, and what that stands for; `refused`: how many frames were not taken,
    or not sent, by layer and reason.
    """

    eui64: str
    devices: tuple[str, ...]
    role: str
    state: str
    short_address: int | None = None
    parent: str = ""
    lqi: int | None = None
    rssi_dbm: float | None = None
    loss: float = 0.0
    keys: tuple[str, ...] = ()
    band: str = GHZ_2_4.name
    duty_cycle: int | None = None
    duty_state: str = ""
    refused: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkView:
    """The network of one premises. `kind`: radio, or direct for links without radio; `airtime_s`: of each
    channel since the lab began.
    """

    kind: str
    devices: tuple[DeviceView, ...]
    channel: int | None = None
    page: int = 0
    sub_ghz_channel: int | None = None
    sub_ghz_page: int | None = None
    pan: int | None = None
    extended_pan: str = ""
    key_sequence: int = 0
    joining_open: bool = False
    counts: dict[str, int]
    airtime_s: dict[str, float]

    def to_json(self) -> dict[str, Json]:
        """The view as JSON has it."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, object]) -> NetworkView:
        """The reverse of `to_json`, for what our own control interface said. TypeError for anything else."""
        rest = {name: item for name, item in value.items() if name != "devices"}
        devices = value.get("devices")
        if not isinstance(devices, list | tuple):
            raise TypeError("devices: no list")
        made = (
            DeviceView(**{**device, "devices": tuple(device["devices"]), "keys": tuple(device["keys"])})
            for device in devices
        )
        return cls(devices=tuple(made), **rest)  # type: ignore[arg-type]


def view_of(han: Han) -> NetworkView:
    """The network as it is at this moment."""
    if isinstance(han, RadioHome):
        return _radio(han)
    if isinstance(han, DirectMedium):
        return _direct(han)
    raise TypeError(f"no view of a {type(han).__name__}")


def _direct(medium: DirectMedium) -> NetworkView:
    """Links without radio: everybody beside the hub, who came first."""
    found: list[DeviceView] = []
    for number, eui64 in enumerate(medium.members()):
        found.append(
            DeviceView(
                eui64=str(eui64),
                devices=(str(eui64),),
                role="hub" if not number else "device",
                state="in the network" if medium.is_reachable(eui64) else "out of reach",
                parent=found[0].eui64 if found else "",
                loss=medium.loss_probability,
            )
        )
    return NetworkView(kind="direct", devices=tuple(found), counts={}, airtime_s={})


def _radio(home: RadioHome) -> NetworkView:
    settings = home.settings
    trust_centre = home.hub.trust_centre if home.nodes else None
    return NetworkView(
        kind="radio",
        devices=(
            *(_node(home, node) for node in home.nodes.values()),
            *(_guest(home, eui64, mac) for eui64, mac in home.guests.items()),
        ),
        channel=settings.channel.number,
        page=settings.channel.page,
        sub_ghz_channel=None if settings.sub_ghz is None else settings.sub_ghz.number,
        sub_ghz_page=None if settings.sub_ghz is None else settings.sub_ghz.page,
        pan=settings.pan,
        extended_pan=str(settings.extended_pan),
        key_sequence=settings.key_sequence,
        joining_open=trust_centre is not None and trust_centre.is_open,
        counts=dict(home.medium.counts),
        airtime_s={str(channel): round(spent, 6) for channel, spent in home.medium.airtime_s.items()},
    )


def _node(home: RadioHome, node: RadioNode) -> DeviceView:
    parent = _parent(home, node)
    there = None if parent is None else home.medium.quality(parent.eui64, node.eui64)
    back = None if parent is None else home.medium.quality(node.eui64, parent.eui64)
    loss = 0.0
    if there is not None and back is not None:
        loss = 1 - (1 - there.mean_loss) * (1 - back.mean_loss)
    address = node.network.short_address
    ledger = node.mac.ledger if isinstance(node.mac, DualBandMac) else node.mac.duty
    return DeviceView(
        eui64=str(node.eui64),
        devices=tuple(str(eui64) for eui64 in home.devices_on(node)),
        role=_ROLES[node.kind],
        state=_state(home, node),
        short_address=address if address < NO_SHORT_ADDRESS else None,
        parent="" if parent is None else str(parent.eui64),
        lqi=None if there is None else there.lqi,
        rssi_dbm=None if there is None else there.rssi_dbm,
        loss=round(loss, 4),
        keys=tuple(sorted(str(peer) for peer in node.aps.link_keys)),
        band=_band(node.mac),
        duty_cycle=None if ledger is None else round(ledger.share(home.clock.time())),
        duty_state="" if ledger is None else ledger.state(home.clock.time()).name.lower(),
        refused=_refused(node),
    )


def _band(mac: MacEntity) -> str:
    return f"{GHZ_2_4.name} and {SUB_GHZ.name}" if isinstance(mac, DualBandMac) else mac.channel.band.name


def _refused(node: RadioNode) -> dict[str, int]:
    """What was not taken or not sent, by layer and reason, as far as there was any."""
    layers: list[tuple[str, MacCounts | NwkCounts | ApsCounts]] = [("mac", node.mac.counts)]
    if isinstance(node.mac, DualBandMac):
        layers.append((f"mac {SUB_GHZ.name}", node.mac.sub_ghz.counts))
    layers += [("nwk", node.network.counts), ("aps", node.aps.counts)]
    return {
        f"{layer} {name.replace('_', ' ')}": number
        for layer, counts in layers
        for name, number in asdict(counts).items()
        if number and name not in _ORDINARY
    }


def _guest(home: RadioHome, eui64: Eui64, mac: MacEntity) -> DeviceView:
    """The radio of another process: what is seen of it from here."""
    hub = home.hub
    known = hub.network.addresses.short_address(eui64)
    heard = home.medium.quality(hub.eui64, eui64)
    keys = tuple(str(node.eui64) for node in home.nodes.values() if eui64 in node.aps.link_keys)
    return DeviceView(
        eui64=str(eui64),
        devices=(str(eui64),),
        role="another process",
        state="on the air" if known is None else "in the network",
        short_address=known if mac.short_address >= NO_SHORT_ADDRESS else mac.short_address,
        parent=str(hub.eui64) if known is not None else "",
        lqi=heard.lqi,
        rssi_dbm=heard.rssi_dbm,
        keys=keys,
    )


def _state(home: RadioHome, node: RadioNode) -> str:
    if not node.on_air:
        return "without power"
    if not node.in_network:
        return f"joining: {node.joiner.state.name.lower().replace('_', ' ')}" if node.joiner else "joining"
    if node is home.hub or any(
        home.medium.quality(node.eui64, other.eui64).audible for other in _others(home, node)
    ):
        return "in the network"
    return "out of reach"


def _others(home: RadioHome, node: RadioNode) -> Iterator[RadioNode]:
    return (other for other in home.nodes.values() if other is not node)


def _parent(home: RadioHome, node: RadioNode) -> RadioNode | None:
    """Through whom a radio reaches the hub: as its network layer has it, else who it hears best."""
    hub = home.hub
    if node is hub or not node.in_network:
        return None
    hop = node.network.way_to(COORDINATOR_ADDRESS)
    known = next((one for one in _others(home, node) if one.network.short_address == hop), None)
    if known is not None:
        return known
    if home.medium.quality(hub.eui64, node.eui64).audible:
        return hub
    routers = [
        one
        for one in _others(home, node)
        if one.kind is NodeKind.ROUTER and home.medium.quality(one.eui64, node.eui64).audible
    ]
    return max(routers, key=lambda one: home.medium.quality(one.eui64, node.eui64).lqi, default=None)


# -------------------------------------------------------------------------------- as text


def draw(view: NetworkView, names: dict[str, str]) -> Iterator[str]:
    """The network as lines of text: a tree from the hub. `names`: what devices are called, by EUI-64."""
    yield _title(view)
    children: dict[str, list[DeviceView]] = {}
    known = {device.eui64 for device in view.devices}
    roots = [device for device in view.devices if device.parent not in known]
    for device in view.devices:
        if device.parent in known:
            children.setdefault(device.parent, []).append(device)
    drawn: set[str] = set()
    for root in roots:
        yield from _branch(root, children, names, drawn, head="", tail="")
    # Two that go through each other, for a moment while routes change, hang on nobody.
    for device in view.devices:
        if device.eui64 not in drawn:
            yield from _branch(device, children, names, drawn, head="", tail="")


def _title(view: NetworkView) -> str:
    if view.kind == "direct" or view.pan is None:
        return f"direct links, no radio: {len(view.devices)} devices"
    page = f", page {view.page}" if view.page else ""
    joining = "open" if view.joining_open else "closed"
    airtime = sum(view.airtime_s.values())
    if view.sub_ghz_channel is not None:
        page += f" and channel {view.sub_ghz_channel} of page {view.sub_ghz_page}"
    return (
        f"channel {view.channel}{page}, PAN {view.pan:04X}, extended PAN {view.extended_pan}, "
        f"network key {view.key_sequence}, joining {joining}; "
        f"{view.counts.get('sent', 0)} frames, {airtime:.3f} s on the air"
    )


def _branch(
    device: DeviceView,
    children: dict[str, list[DeviceView]],
    names: dict[str, str],
    drawn: set[str],
    *,
    head: str,
    tail: str,
) -> Iterator[str]:
    if device.eui64 in drawn:
        return
    drawn.add(device.eui64)
    yield f"{head}{_line(device, names)}"
    below = children.get(device.eui64, [])
    for number, child in enumerate(below, start=1):
        last = number == len(below)
        yield from _branch(
            child,
            children,
            names,
            drawn,
            head=f"{tail}{'└─ ' if last else '├─ '}",
            tail=f"{tail}{'   ' if last else '│  '}",
        )


def _line(device: DeviceView, names: dict[str, str]) -> str:
    address = "    " if device.short_address is None else f"{device.short_address:04X}"
    called = ", ".join(names.get(eui64, eui64) for eui64 in device.devices)
    parts = [f"{device.eui64}  {address}  {called}: {device.role}"]
    if device.state != "in the network":
        parts.append(device.state)
    if device.lqi is not None and device.rssi_dbm is not None:
        full = round(device.lqi * _BAR / _MAX_LQI)
        parts.append(f"LQI {device.lqi} {'█' * full}{'░' * (_BAR - full)} {device.rssi_dbm:.0f} dBm")
    if device.band != GHZ_2_4.name:
        parts.append(device.band)
    if device.duty_cycle is not None:
        parts.append(f"duty cycle {device.duty_cycle / 100:.2f} % ({device.duty_state})")
    if device.loss:
        parts.append(f"loses {device.loss:.1%}")
    if device.role not in {"hub", "device"}:
        parts.append(_keys(device))
    if device.refused:
        parts.append("refused: " + ", ".join(f"{number} {why}" for why, number in device.refused.items()))
    return ", ".join(parts)


def _keys(device: DeviceView) -> str:
    number = len(device.keys)
    return f"{number} link key{'' if number == 1 else 's'}" if number else "no link key"
