"""Declarations that are wrong are refused when they are compiled; rights follow from the use cases."""

from __future__ import annotations

import pytest

from smetslab.devices import chf_core, esme_objects
from smetslab.devices.cosem.model import computed, copy, cosem_object, fixed, method, stored
from smetslab.devices.cosem.objects import ObjectModel
from smetslab.devices.cosem.rights import AccessRights, Mode, Right
from smetslab.errors import RegistryError
from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.gbcs.dlms import shapes
from smetslab.gbcs.dlms.apdu import Obis
from smetslab.gbcs.usecases.registry import USE_CASES

SUPPLIER, NETWORK_OPERATOR, BROKER = (
    RemotePartyRole.SUPPLIER,
    RemotePartyRole.NETWORK_OPERATOR,
    RemotePartyRole.ACCESS_CONTROL_BROKER,
)

DECLARED = (
    "ECS17a",
    "ECS17b",
    "ECS10",
    "ECS21a",
    "ECS22b",
    "ECS24",
    "ECS26a",
    "ECS28a",
    "ECS42",
    "ECS43",
    "ECS44",
    "ECS45",
    "ECS52",
    "ECS70",
    "CS01a",
)


@pytest.mark.parametrize(
    ("objects", "reason"),
    [
        ((cosem_object(6, "0-0:1.0.0.255"),), "unknown class"),
        ((cosem_object(1, "0-0:1.0.0.255"), cosem_object(1, "0-0:1.0.0.255")), "twice"),
        ((cosem_object(1, "0-0:1.0.0.255", fixed(9, "x", 1, shapes.UNSIGNED)),), "no attribute 9"),
        ((cosem_object(1, "0-0:1.0.0.255", method(1, "x")),), "no method 1"),
        ((cosem_object(1, "0-0:1.0.0.255", computed(2, "x")),), "no shape"),
        (
            (
                cosem_object(1, "0-0:1.0.0.255", fixed(2, "x", 1, shapes.UNSIGNED)),
                cosem_object(1, "0-0:1.0.1.255", fixed(2, "x", 1, shapes.UNSIGNED)),
            ),
            "twice",
        ),
        (
            (
                cosem_object(
                    9000,
                    "0-0:1.0.0.255",
                    stored(4, "x", 1, shapes.UNSIGNED),
                    stored(6, "t", "never"),
                    copies=(copy((9000, "0-0:1.0.0.255", 4), (71, "0-0:1.0.9.255", 4)),),
                ),
            ),
            "not stored",
        ),
    ],
)
def test_a_wrong_declaration_is_refused(objects: tuple[object, ...], reason: str) -> None:
    with pytest.raises(RegistryError, match=reason):
        ObjectModel(objects, {}, DeviceType.ESME)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", DECLARED)
def test_the_meter_has_the_objects_of_its_use_cases(name: str) -> None:
    assert esme_objects.MODEL.supports(USE_CASES[name])


def test_the_hub_supports_its_own_use_cases_alone() -> None:
    assert chf_core.MODEL.supports(USE_CASES["ECS52"])
    assert not chf_core.MODEL.supports(USE_CASES["ECS45"])
    assert not esme_objects.MODEL.supports(USE_CASES["GCA"])


@pytest.mark.parametrize(
    ("role", "class_id", "obis", "member", "allowed"),
    [
        (SUPPLIER, 70, "0-0:96.3.10.255", (Mode.GET, 3), True),
        (NETWORK_OPERATOR, 70, "0-0:96.3.10.255", (Mode.GET, 3), True),
        (NETWORK_OPERATOR, 9, "0-0:10.0.106.255", (Mode.ACTION, 1), False),
        (SUPPLIER, 9, "0-0:10.0.106.255", (Mode.ACTION, 1), True),
        (NETWORK_OPERATOR, 3, "1-0:2.8.0.255", (Mode.GET, 2), True),
        (SUPPLIER, 3, "1-0:2.8.0.255", (Mode.GET, 2), False),
        (SUPPLIER, 1, "0-0:94.44.34.10", (Mode.PROTECTED_GET, 2), True),
        (SUPPLIER, 1, "0-0:94.44.34.10", (Mode.GET, 2), False),
        (BROKER, 1, "0-0:94.44.34.10", (Mode.PROTECTED_GET, 2), False),
        (RemotePartyRole.RECOVERY, 1, "0-0:0.2.1.255", (Mode.GET, 2), False),
    ],
)
def test_rights_follow_from_the_use_cases(
    role: RemotePartyRole, class_id: int, obis: str, member: tuple[Mode, int], allowed: bool
) -> None:
    assert esme_objects.RIGHTS.allows(role, class_id, Obis.parse(obis), *member) is allowed


def test_grants_and_denials_change_single_rows() -> None:
    obis = Obis.parse("0-0:96.3.10.255")
    row = Right(70, obis, Mode.GET, 3, (NETWORK_OPERATOR,))
    grant = Right(70, obis, Mode.GET, 2, (SUPPLIER,))
    rights = AccessRights.of(USE_CASES, DeviceType.ESME, grants=[grant], denials=[row])
    assert not rights.allows(NETWORK_OPERATOR, 70, obis, Mode.GET, 3)
    assert rights.allows(SUPPLIER, 70, obis, Mode.GET, 3)
    assert rights.allows(SUPPLIER, 70, obis, Mode.GET, 2)
    assert not rights.allows(NETWORK_OPERATOR, 70, obis, Mode.GET, 2)
