"""A device's place in its network as non-volatile memory keeps it, over a restart of the process.

Spec: ZigBee 3.6.8 (persistent data), 4.3.3 (network security material), 4.4.10 (link keys)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from smetslab.errors import StoreError
from smetslab.han.air.bands import Channel
from smetslab.han.air.dual_band import DualBandMac
from smetslab.han.stack.joining import JoinState
from smetslab.han.stack.network import NetworkSettings
from smetslab.ids import Eui64
from smetslab.store import Nvm
from smetslab.store.nvm import Json

if TYPE_CHECKING:
    from smetslab.han.stack.node import RadioNode

_KEY: Final = "radio/place"


def write_place(nvm: Nvm, node: RadioNode) -> None:
    """Write the place of a node when it is not what is kept."""
    settings, network = node.network.settings, node.network
    value: dict[str, Json] = {
        "member": node.in_network,
        "pan": settings.pan,
        "extended_pan": str(settings.extended_pan),
        "channel": settings.channel.number,
        "page": settings.channel.page,
        "key": settings.key.hex(),
        "key_sequence": settings.key_sequence,
        "alternate_key": None if settings.alternate_key is None else settings.alternate_key.hex(),
        "alternate_sequence": settings.alternate_sequence,
        "update_id": settings.update_id,
        "short_address": network.short_address,
        "parent": network.parent,
        "addresses": [[address, str(eui64)] for address, eui64 in network.addresses.items()],
        "children": [
            [str(child.eui64), child.short_address, child.timeout_s, child.asleep]
            for child in ([] if node.parent is None else node.parent.children.values())
        ],
        "sub_ghz": _lower_band(node),
        "bindings": node.profile.bindings.to_json(),
        "link_keys": {str(eui64): key.hex() for eui64, key in node.aps.link_keys.items()},
    }
    if nvm.get_json(_KEY) != value:
        with nvm.transaction() as tx:
            tx.put_json(_KEY, value)


def read_place(nvm: Nvm, node: RadioNode) -> bool:
    """Put a node where it was; False when nothing is kept. Raises StoreError for what nobody has written."""
    value = nvm.get_json(_KEY)
    if value is None:
        return False
    settings, network = node.network.settings, node.network
    match value:
        case {
            "member": bool(member),
            "pan": int(pan),
            "extended_pan": str(extended_pan),
            "channel": int(channel),
            "page": int(page),
            "key": str(key),
            "key_sequence": int(sequence),
            "alternate_key": str() | None as alternate_key,
            "alternate_sequence": int(alternate_sequence),
            "update_id": int(update_id),
            "short_address": int(short_address),
            "parent": int(parent),
            "addresses": list(addresses),
            "children": list(children),
            "link_keys": dict(link_keys),
        }:
            pass
        case _:
            raise StoreError(f"{nvm.owner}: {_KEY} is not the place of a device in a network")
    settings.pan, settings.channel = pan, Channel(channel, page)
    settings.extended_pan, settings.update_id = Eui64.parse(extended_pan), update_id
    settings.key, settings.key_sequence = bytes.fromhex(key), sequence
    settings.alternate_key = None if alternate_key is None else bytes.fromhex(alternate_key)
    settings.alternate_sequence = alternate_sequence
    node.mac.pan, node.mac.short_address = pan, short_address
    node.mac.tune(settings.channel)
    network.parent = parent
    if isinstance(node.mac, DualBandMac):
        lower_band = value.get("sub_ghz") if isinstance(value, dict) else None
        _read_lower_band(node.mac, settings, lower_band)
    for entry in addresses:
        match entry:
            case [int(address), str(eui64)]:
                network.addresses.learn(address, Eui64.parse(eui64))
    for entry in children:
        match entry:
            case [str(eui64), int(address), int() | float() as timeout_s, *rest] if node.parent is not None:
                node.parent.adopt(Eui64.parse(eui64), address, timeout_s, asleep=rest != [False])
    node.profile.bindings.clear()
    node.profile.bindings.read(value.get("bindings") if isinstance(value, dict) else None)
    node.aps.link_keys.clear()
    for eui64, link_key in link_keys.items():
        if isinstance(link_key, str):
            node.aps.link_keys[Eui64.parse(eui64)] = bytes.fromhex(link_key)
    if node.joiner is not None:
        node.joiner.state = JoinState.JOINED if member else JoinState.OUTSIDE
    return True


def _lower_band(node: RadioNode) -> Json:
    """What a hub with two bands has to remember besides: channel, and short addresses that are there."""
    mac = node.mac
    if not isinstance(mac, DualBandMac):
        return None
    channel = mac.sub_ghz.channel
    return [channel.number, channel.page, *(one for one in mac.members if isinstance(one, int))]


def _read_lower_band(mac: DualBandMac, settings: NetworkSettings, kept: Json) -> None:
    match kept:
        case [int(number), int(page), *members]:
            settings.sub_ghz = Channel(number, page)
            mac.tune(settings.sub_ghz)
            mac.members.update(dict.fromkeys(one for one in members if isinstance(one, int)))
        case _:
            return  # the hub had one band until now
