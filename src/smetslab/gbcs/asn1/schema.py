"""From the schema text to compiled types.

`asn1tools` reads the ASN.1 notation; its own DER codec is not used, because it reads BER as well (members in
any order, indefinite and over-long lengths, trailing data) and does not tell where a message goes wrong. The
untyped dictionary that it gives stays in this module.

Spec: X.680 (notation), X.690 (tags); GBCS Annex 3.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias, TypedDict

from smetslab.errors import RegistryError
from smetslab.gbcs.asn1.constructed import Choice, Member, Sequence, SequenceOf
from smetslab.gbcs.asn1.der import Asn1Type
from smetslab.gbcs.asn1.primitives import ENUMERATED, NamedBits, Null, Number, OctetString, Opaque, Time

Tag = TypedDict("Tag", {"number": int, "class": str}, total=False)

Descriptor = TypedDict(
    "Descriptor",
    {
        "name": str,
        "type": str,
        "members": "list[Descriptor]",
        "element": "Descriptor",
        "optional": bool,
        "default": int,
        "tag": Tag,
        "size": "list[int]",
        "restricted-to": "list[tuple[int, int]]",
        "named-numbers": "dict[str, int]",
        "named-bits": "list[tuple[str, str]]",
        "values": "list[tuple[str, int]]",
    },
    total=False,
)
"""A type as `asn1tools` describes it, as far as the schema uses the notation."""


class Module(TypedDict):
    """A module as `asn1tools` describes it."""

    types: dict[str, Descriptor]
    imports: dict[str, list[str]]


_CONTEXT = 0x80
_CONSTRUCTED = 0x20
_LARGEST_TAG = 30
_ENUMERATED_MAXIMUM = 0xFF

_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def snake_case(name: str) -> str:
    """`authorising_remote_party_ta_cell_identifier` for `authorisingRemotePartyTACellIdentifier`."""
    return _WORD_START.sub("_", name).replace("-", "_").lower()


def parse(text: str) -> dict[str, Module]:
    """The modules of a schema text."""
    # The library takes longer to import than everything else of this package: only when it is needed.
    from asn1tools import parse_string  # type: ignore[import-untyped]  # noqa: PLC0415

    modules: dict[str, Module] = parse_string(text)
    return modules


def compile_schema(text: str) -> dict[str, Asn1Type]:
    """Every type of the one module of a schema text, by its name. Raises RegistryError."""
    modules = parse(text)
    if len(modules) != 1:
        raise RegistryError("the schema has to be one module", rule="asn1")
    (module,) = modules.values()
    compiler = _Compiler(module)
    return {name: compiler.named(name) for name in module["types"]}


class _Compiler:
    def __init__(self, module: Module) -> None:
        self._types = module["types"]
        self._imported = [name for names in module["imports"].values() for name in names]
        self._done: dict[str, Asn1Type] = {}
        self._under_way: list[str] = []
        self._builders: dict[str, _Builder] = {
            "INTEGER": _integer,
            "ENUMERATED": _enumerated,
            "BIT STRING": _named_bits,
            "OCTET STRING": _octet_string,
            "NULL": lambda _: Null(),
            "GeneralizedTime": lambda _: Time(),
            "SEQUENCE": self._sequence,
            "SEQUENCE OF": lambda descriptor: SequenceOf(element=self._type(descriptor["element"])),
            "CHOICE": self._choice,
        }

    def named(self, name: str) -> Asn1Type:
        if name not in self._done:
            if name in self._imported:
                self._done[name] = Opaque(label=name)
            elif name in self._under_way or name not in self._types:
                raise RegistryError(f"{name} is not defined, or by itself", rule="asn1")
            else:
                self._under_way.append(name)
                built = self._type(self._types[name])
                if isinstance(built, Number) and name == "AlertCode":
                    built = replace(built, form="code")
                self._done[name] = built
                self._under_way.remove(name)
        return self._done[name]

    def _type(self, descriptor: Descriptor) -> Asn1Type:
        build = self._builders.get(descriptor["type"])
        built = self.named(descriptor["type"]) if build is None else build(descriptor)
        return _tagged(built, descriptor["tag"]) if "tag" in descriptor else built

    def _sequence(self, descriptor: Descriptor) -> Asn1Type:
        members = tuple(self._member(item) for item in descriptor["members"])
        for place, member in enumerate(members):
            for later in members[place + 1 :]:
                if not member.can_be_absent:
                    break
                if set(member.type.tags) & set(later.type.tags):
                    raise RegistryError(f"{member.name} and {later.name} look the same", rule="asn1")
                if not later.can_be_absent:
                    break
        return Sequence(members=members)

    def _member(self, descriptor: Descriptor) -> Member:
        built = self._type(descriptor)
        name = snake_case(descriptor["name"])
        if "default" not in descriptor:
            return Member(name=name, type=built, optional=descriptor.get("optional", False))
        if not isinstance(built, Number):
            raise RegistryError(f"{name}: only numbers have a default", rule="asn1")
        default = descriptor["default"]
        return Member(name=name, type=built, default=built.names.get(default, default))

    def _choice(self, descriptor: Descriptor) -> Asn1Type:
        alternatives = {snake_case(item["name"]): self._type(item) for item in descriptor["members"]}
        by_tag = {tag: (name, kind) for name, kind in alternatives.items() for tag in kind.tags}
        if len(by_tag) != sum(len(kind.tags) for kind in alternatives.values()):
            raise RegistryError(f"two of {', '.join(alternatives)} look the same", rule="asn1")
        return Choice(alternatives=alternatives, by_tag=by_tag)


_Builder: TypeAlias = Callable[[Descriptor], Asn1Type]


def _integer(descriptor: Descriptor) -> Asn1Type:
    ranges = descriptor.get("restricted-to", [])
    if len(ranges) != 1:
        raise RegistryError(f"{descriptor.get('name', 'INTEGER')} needs a range", rule="asn1")
    ((minimum, maximum),) = ranges
    return _number(minimum, maximum, descriptor.get("named-numbers", {}))


def _enumerated(descriptor: Descriptor) -> Asn1Type:
    numbers = dict(descriptor["values"])
    return replace(_number(0, _ENUMERATED_MAXIMUM, numbers), label="ENUMERATED", tag=ENUMERATED)


def _number(minimum: int, maximum: int, numbers: Mapping[str, int]) -> Number:
    names = {number: name for name, number in numbers.items()}
    if len(names) != len(numbers):
        raise RegistryError(f"two of {', '.join(numbers)} are the same number", rule="asn1")
    return Number(minimum=minimum, maximum=maximum, names=names, numbers=numbers)


def _named_bits(descriptor: Descriptor) -> Asn1Type:
    return NamedBits(names={int(bit): name for name, bit in descriptor["named-bits"]})


def _octet_string(descriptor: Descriptor) -> Asn1Type:
    sizes = descriptor.get("size", [])
    return OctetString(size=sizes[0] if sizes else None)


def _tagged(built: Asn1Type, tag: Tag) -> Asn1Type:
    """`built` with an IMPLICIT context tag. Spec: X.690 8.14."""
    number = tag["number"]
    if "class" in tag or number > _LARGEST_TAG:
        raise RegistryError(f"tag {number}: only context tags of one octet", rule="asn1")
    if isinstance(built, Sequence | SequenceOf):
        return replace(built, tag=_CONTEXT | _CONSTRUCTED | number)
    if isinstance(built, Number | NamedBits | OctetString | Null | Time):
        return replace(built, tag=_CONTEXT | number)
    raise RegistryError(f"a {built.label} cannot have an implicit tag", rule="asn1")
