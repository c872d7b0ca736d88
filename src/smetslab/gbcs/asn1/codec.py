"""The door to ASN.1 content: the octets of a message to its named parameters and back, by type name.

Spec: GBCS Annex 3; X.690.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from smetslab.errors import GbcsDecodeError, GbcsEncodeError
from smetslab.gbcs.asn1.constructed import Choice, Sequence
from smetslab.gbcs.asn1.der import Asn1Type, Cursor, two_octet_length
from smetslab.gbcs.asn1.primitives import Null
from smetslab.gbcs.asn1.schema import compile_schema
from smetslab.gbcs.values import Parameters
from smetslab.wire import ber_length

MAX_CONTENT_BYTES = 64 * 1024
"""The most that is read as one content. The longest published one has 3,885 octets."""

LENGTH_FORM = "length_form"
"""The parameter that is there when a message writes lengths of 128 to 255 in two octets, which is not DER."""

TWO_OCTET = "two-octet"


def decode(type_name: str, content: bytes) -> Parameters:
    """The named parameters of `content`, which has to be one element of the type and nothing else.

    Raises GbcsDecodeError with the offset in `content` and the member of the first octet that differs from
    DER. One departure is read, and named by the parameter LENGTH_FORM, because the published vectors have it.
    """
    compiled = types()[type_name]
    if len(content) > MAX_CONTENT_BYTES:
        raise GbcsDecodeError(
            "content too long",
            offset=MAX_CONTENT_BYTES,
            expected=f"at most {MAX_CONTENT_BYTES} bytes",
            found=str(len(content)),
        )
    cursor = Cursor(content)
    value, end = compiled.decode(cursor, 0, len(content))
    if end != len(content):
        raise GbcsDecodeError(
            "trailing bytes",
            offset=end,
            path=type_name,
            expected="the end",
            found=f"{len(content) - end} more bytes",
        )
    parameters: Parameters = value if isinstance(value, dict) else {}
    if cursor.two_octet:
        parameters[LENGTH_FORM] = TWO_OCTET
    return parameters


def encode(type_name: str, parameters: Parameters) -> bytes:
    """The content for named parameters. Raises GbcsEncodeError with the parameter that does not fit."""
    compiled = types()[type_name]
    members = dict(parameters)
    form = members.pop(LENGTH_FORM, None)
    if form not in {None, TWO_OCTET}:
        raise GbcsEncodeError("unknown form", path=LENGTH_FORM, expected=TWO_OCTET, found=repr(form)[:80])
    if isinstance(compiled, Null) and members:
        raise GbcsEncodeError("no such parameter", path=next(iter(members)), expected="no parameters")
    value = None if isinstance(compiled, Null) else members
    return compiled.encode(value, ber_length if form is None else two_octet_length)


def parameter_names(type_name: str) -> tuple[str, ...]:
    """The parameters that every message of a type has."""
    compiled = types()[type_name]
    if isinstance(compiled, Sequence):
        return tuple(m.name for m in compiled.members if not m.can_be_absent)
    if isinstance(compiled, Choice) and len(compiled.alternatives) == 1:
        return tuple(compiled.alternatives)
    return ()


@cache
def types() -> Mapping[str, Asn1Type]:
    """Every type of the schema by its name, compiled when it is first needed."""
    text = files("smetslab.gbcs.asn1").joinpath("gbcs.asn").read_text("utf-8")
    return compile_schema(text)
