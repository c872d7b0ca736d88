"""The contingency credential of a laboratory: what its devices have of it, and what its holder has.

Spec: GBCS 13.3, use case CS02b (anyByContingency).
"""

from __future__ import annotations

from typing import Final

from smetslab.crypto import PrivateKey, PublicKey
from smetslab.dcc.recovery import Contingency
from smetslab.devices.security.contingency import ContingencyKey
from smetslab.errors import SecurityError, UsageError
from smetslab.ids import Eui64
from smetslab.lab.config import ContingencyConfig, LabConfig
from smetslab.pki import Certificate
from smetslab.rng import RootSeed

ORIGINATOR: Final = Eui64.parse("70B3D51F300017FF")
"""Who commands with the contingency key. Spec: RTDS 4.5.0; any identifier would do."""
_AES_OCTETS: Final = 16


def holder(config: LabConfig) -> Contingency | None:
    """What commands with the contingency key, for `lab.dcc.recovery`; None: there is none, or its private
    half is kept elsewhere.
    """
    wanted = config.keys.contingency
    if wanted is None or wanted.public_key is not None:
        return None
    seed = RootSeed(config.seed).child("contingency")
    return Contingency(
        originator=wanted.originator or ORIGINATOR,
        key=PrivateKey.from_seed(seed.octets("key", 32)),
        symmetric_key=seed.octets("symmetric key", _AES_OCTETS),
    )


def key_of_devices(config: LabConfig, root: Certificate | None) -> ContingencyKey | None:
    """What came with the root of every device. Raises UsageError for a key that is no point of the curve."""
    wanted, own = config.keys.contingency, holder(config)
    if wanted is None or root is None or root.subject_key_id is None:
        return None
    if own is not None:
        return ContingencyKey.of(own.key.public, own.symmetric_key, root.subject_key_id)
    return ContingencyKey.of(*_given(wanted), root.subject_key_id)


def _given(wanted: ContingencyConfig) -> tuple[PublicKey, bytes]:
    try:
        public = PublicKey(bytes.fromhex(wanted.public_key or ""))
    except SecurityError as error:
        raise UsageError(f"keys.contingency.public_key: {error}") from error
    return public, bytes.fromhex(wanted.symmetric_key or "")
