"""What every device with credentials is made of, and its place among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NotRequired, TypedDict

from smetslab.clock import Clock
from smetslab.crypto import SharedSecrets
from smetslab.devices.application import Station
from smetslab.devices.credentials import DeviceKeys, TrustAnchorStore
from smetslab.devices.profile import DeviceProfile
from smetslab.devices.quirks import Quirks
from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.gbcs.gbt import BlockRules
from smetslab.gbcs.usecases.model import UseCase
from smetslab.han import ApsService
from smetslab.ids import Eui64
from smetslab.rng import RootSeed
from smetslab.store import Nvm
from smetslab.trace import Trace


class DeviceParts(TypedDict):
    """The arguments that the constructors of all devices have. `secrets`: shared with other devices, to be
    quicker; `block_rules`: of its block transfer, where not the usual ones.
    """

    profile: DeviceProfile
    eui64: Eui64
    keys: DeviceKeys
    trust_anchors: TrustAnchorStore
    nvm: Nvm
    han: ApsService
    clock: Clock
    trace: Trace
    rng: RootSeed
    secrets: NotRequired[SharedSecrets]
    block_rules: NotRequired[BlockRules]


class Shell(TypedDict):
    """Those of them that the shell of a device takes."""

    eui64: Eui64
    nvm: Nvm
    clock: Clock
    trace: Trace
    block_rules: BlockRules | None


def shell_of(parts: DeviceParts) -> Shell:
    """What the shell of a device is made of."""
    return Shell(
        eui64=parts["eui64"],
        nvm=parts["nvm"],
        clock=parts["clock"],
        trace=parts["trace"],
        block_rules=parts.get("block_rules"),
    )


def station_of(
    parts: DeviceParts,
    device_type: DeviceType,
    *,
    answers_to: RemotePartyRole,
    first_alert_counter: int,
    key_seed: RootSeed,
    supported: Callable[[UseCase], bool] = lambda _use_case: True,
) -> Station:
    """The place of a device in the world of messages. `supported`: what it has of what its profile does not
    deny. Raises UsageError when the profile names a quirk that there is not.
    """
    profile = parts["profile"]
    return Station(
        eui64=parts["eui64"],
        device_type=device_type,
        keys=parts["keys"],
        trust_anchors=parts["trust_anchors"],
        secrets=parts.get("secrets") or SharedSecrets(),
        quirks=Quirks.of(quirk.name for quirk in profile.quirks),
        supported=lambda use_case: profile.conforms(use_case.name) != "no" and supported(use_case),
        answers_to=answers_to,
        first_alert_counter=first_alert_counter,
        seed=key_seed,
    )
