"""A contingency key in the lab file: devices have it, and its holder replaces credentials with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from smetslab.clock import run_virtual
from smetslab.crypto import PrivateKey
from smetslab.dcc.recovery import Contingency, Replacement
from smetslab.errors import UsageError
from smetslab.gbcs.codes import CellUsage, KeyUsage, RemotePartyRole
from smetslab.ids import Eui64
from smetslab.lab import contingency
from smetslab.lab.build import Lab, check_lab, lab_keystore
from smetslab.lab.config import ContingencyConfig, HanConfig, KeyConfig, LabConfig, load_lab

METER = Eui64.parse("00DB1234567890A0")
SYMMETRIC = bytes(range(16))
ELSEWHERE = PrivateKey.from_seed(b"kept elsewhere")


def with_keys(folder: Path, section: str) -> LabConfig:
    """The built-in lab with more text."""
    path = folder / "contingency.lab.toml"
    path.write_bytes(load_lab().source_text + b"\n" + section.encode())
    return load_lab(path).model_copy(update={"han": HanConfig(kind="direct")})


def recover(config: LabConfig, credential: Contingency) -> tuple[str, ...] | None:
    """Put the supplier's signing certificate into its cell by contingency: the statuses, None for silence."""

    async def main(_clock: Any) -> tuple[str, ...] | None:
        async with Lab(config) as lab:
            supplier = lab.users["supplier"].party
            certificate = lab.keystore.find(supplier, KeyUsage.DIGITAL_SIGNATURE).certificate
            issuing = [
                one for one in lab.keystore.authorities() if one.role is RemotePartyRole.ISSUING_AUTHORITY
            ]
            replacement = Replacement(
                certificate=certificate.der,
                role=RemotePartyRole.SUPPLIER,
                usage=KeyUsage.DIGITAL_SIGNATURE,
                cell_usage=CellUsage.MANAGEMENT,
            )
            result = await lab.dcc.recovery.recover(
                METER, [replacement], [one.der for one in issuing], contingency=credential, timeout_s=60
            )
            return result.statuses

    return run_virtual(main)


def test_the_key_is_made_from_the_seed_and_works(tmp_path: Path) -> None:
    config = with_keys(tmp_path, "[keys.contingency]\n")
    credential = contingency.holder(config)
    assert credential is not None
    assert credential.originator == Eui64.parse("70B3D51F300017FF")
    assert recover(config, credential) == ("success",)


def test_a_key_that_is_kept_elsewhere_works_too(tmp_path: Path) -> None:
    section = (
        f'[keys.contingency]\noriginator = "70B3D51F30001701"\n'
        f'public_key = "{ELSEWHERE.public.point.hex()}"\nsymmetric_key = "{SYMMETRIC.hex()}"\n'
    )
    config = with_keys(tmp_path, section)
    assert contingency.holder(config) is None, "the laboratory does not have its private half"
    originator = Eui64.parse("70B3D51F30001701")
    credential = Contingency(originator=originator, key=ELSEWHERE, symmetric_key=SYMMETRIC)
    assert recover(config, credential) == ("success",)


def test_without_it_the_holder_is_nobody(tmp_path: Path) -> None:
    config = with_keys(tmp_path, "")
    originator = Eui64.parse("70B3D51F300017FF")
    credential = Contingency(originator=originator, key=ELSEWHERE, symmetric_key=SYMMETRIC)
    assert contingency.holder(config) is None
    assert recover(config, credential) is None


@pytest.mark.parametrize(
    ("section", "words"),
    [
        (f'[keys.contingency]\npublic_key = "{ELSEWHERE.public.point.hex()}"', "both or none"),
        (f'[keys.contingency]\nsymmetric_key = "{SYMMETRIC.hex()}"', "both or none"),
        ('[keys.contingency]\npublic_key = "04"\nsymmetric_key = "00"', "public_key"),
        ('[keys.contingency]\nkey = "04"', "key"),
    ],
)
def test_a_wrong_key_is_refused_on_load(tmp_path: Path, section: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        with_keys(tmp_path, section)


def test_a_point_that_is_not_on_the_curve_is_refused_before_anything_starts(tmp_path: Path) -> None:
    section = f'[keys.contingency]\npublic_key = "04{"11" * 64}"\nsymmetric_key = "{SYMMETRIC.hex()}"\n'
    config = with_keys(tmp_path, section)
    with pytest.raises(UsageError, match=r"keys\.contingency\.public_key"):
        check_lab(config, lab_keystore(config))


def test_devices_whose_root_nobody_has_cannot_have_one() -> None:
    with pytest.raises(ValueError, match='authority = "own" alone'):
        KeyConfig(authority="keystore", keystore="keys", contingency=ContingencyConfig())
