"""The compiler of the schema: what it gives for each notation, and what it does not let pass."""

from __future__ import annotations

import subprocess
import sys

import pytest

from smetslab.errors import RegistryError
from smetslab.gbcs.asn1 import codec
from smetslab.gbcs.asn1.constructed import Sequence
from smetslab.gbcs.asn1.primitives import Number
from smetslab.gbcs.asn1.schema import compile_schema, snake_case
from smetslab.gbcs.codes import CellUsage, DeviceType, KeyUsage, RemotePartyRole


@pytest.mark.parametrize(
    ("name", "snake"),
    [
        ("authorisingRemotePartyTACellIdentifier", "authorising_remote_party_ta_cell_identifier"),
        ("applyTimeBasedCPVChecks", "apply_time_based_cpv_checks"),
        ("existingSubjectUniqueID", "existing_subject_unique_id"),
        ("deviceID", "device_id"),
        ("timeStamp", "time_stamp"),
        ("type-2", "type_2"),
    ],
)
def test_parameters_are_member_names_in_snake_case(name: str, snake: str) -> None:
    assert snake_case(name) == snake


def test_context_tags_are_implicit_and_constructed_where_the_type_is() -> None:
    control = codec.types()["AuthorisingRemotePartyControl"]
    assert isinstance(control, Sequence)
    assert [member.type.tags for member in control.members] == [
        (0x02,),
        (0x80,),
        (0x81,),
        (0xA2,),
        (0x83,),
        (0x84,),
        (0xA5,),
        (0xA6,),
    ]


def names_of(type_name: str) -> dict[int, str]:
    compiled = codec.types()[type_name]
    assert isinstance(compiled, Number)
    return dict(compiled.names)


def test_names_in_the_schema_are_those_of_the_codes() -> None:
    """`accessControlBroker` and `type-2` there, ACCESS_CONTROL_BROKER and TYPE_2 in the enumerations."""

    def as_enumeration(names: dict[int, str]) -> dict[int, str]:
        return {number: snake_case(name).upper() for number, name in names.items()}

    roles = {int(role): role.name for role in RemotePartyRole}
    assert as_enumeration(names_of("RemotePartyRole")) == roles | {5: "TRANSITIONAL_CO_S"}
    assert as_enumeration(names_of("DeviceType")) == {int(kind): kind.name for kind in DeviceType}
    usages = {int(usage): usage.name.replace("PREPAYMENT", "PRE_PAYMENT") for usage in CellUsage}
    assert as_enumeration(names_of("CellUsage")) == usages
    assert {str(usage) for usage in KeyUsage} == {"digitalSignature", "keyAgreement", "keyCertSign"}


def compile_body(body: str) -> object:
    return compile_schema(f"M DEFINITIONS IMPLICIT TAGS ::= BEGIN {body} END")


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("A ::= INTEGER", "needs a range"),
        ("A ::= INTEGER { one(1), uno(1) } (0..9)", "the same number"),
        ("A ::= SEQUENCE { b B }", "B is not defined"),
        ("A ::= SEQUENCE { b B } B ::= SEQUENCE OF A", "by itself"),
        ("A ::= SEQUENCE { a NULL OPTIONAL, b NULL }", "look the same"),
        ("A ::= SEQUENCE { a NULL OPTIONAL, b INTEGER (0..1) DEFAULT 0, c NULL }", "look the same"),
        ("A ::= CHOICE { a NULL, b NULL }", "look the same"),
        ("A ::= SEQUENCE { a [0] CHOICE { b NULL } }", "cannot have an implicit tag"),
        ("A ::= SEQUENCE { a [APPLICATION 1] NULL }", "only context tags"),
        ("A ::= SEQUENCE { a [31] NULL }", "only context tags"),
        ("A ::= SEQUENCE { a OCTET STRING DEFAULT '00'H }", "only numbers have a default"),
        ("A ::= REAL", "REAL is not defined"),
    ],
)
def test_a_schema_that_der_could_not_tell_apart_is_refused(body: str, complaint: str) -> None:
    with pytest.raises(RegistryError, match=complaint):
        compile_body(body)


def test_two_members_may_look_the_same_when_the_first_is_always_there() -> None:
    compile_body(
        "A ::= SEQUENCE { a NULL, b NULL, c INTEGER (0..1) OPTIONAL, d OCTET STRING, e INTEGER (0..1) }"
    )


def test_nothing_is_compiled_before_the_first_message_needs_it() -> None:
    script = (
        "import sys, smetslab.gbcs.usecases as u\n"
        "assert 'asn1tools' not in sys.modules\n"
        "u.USE_CASES['CS06'].payload.command_parameters\n"
        "assert 'asn1tools' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, env={"PYTHONPATH": ":".join(sys.path)})
