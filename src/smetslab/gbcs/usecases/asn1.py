"""ASN.1 content of use cases: which type of the schema each message is.

The types, their members and so the names of parameters are in `smetslab/gbcs/asn1/gbcs.asn`.

Spec: GBCS Annex 3 (modules), 9.2 (future dating).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from smetslab.errors import GbcsDecodeError, GbcsEncodeError
from smetslab.gbcs import asn1
from smetslab.gbcs.asn1.der import SEQUENCE
from smetslab.gbcs.asn1.primitives import INTEGER, NULL, OCTET_STRING
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.elements import Elements
from smetslab.gbcs.message import Message, content_offset
from smetslab.gbcs.values import IMMEDIATE, Parameters

_FIRST_OCTETS = (INTEGER, OCTET_STRING, NULL, SEQUENCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asn1Payload:
    """Content that is one DER element of a type of the schema.

    `activation` names the OPTIONAL member that dates the execution of a command. Where it is absent the
    parameter says `immediate`, as in the other kinds of payload; encoding takes both. `elements` is what DUIS
    and MMC call members, by their path.
    """

    command: str | None = None
    response: str | None = None
    alert: str | None = None
    activation: str | None = None
    elements: Elements = field(default_factory=dict)

    encrypts_response = False

    @property
    def is_alert(self) -> bool:
        return self.alert is not None

    @property
    def command_parameters(self) -> tuple[str, ...]:
        return asn1.parameter_names(self.command) if self.command else ()

    @property
    def activations(self) -> tuple[str, ...]:
        return (self.activation,) if self.activation else ()

    def recognises(self, content: bytes) -> bool:
        return content[:1] != b"" and content[0] in _FIRST_OCTETS

    def decode(self, message: Message, secret: bytes | None) -> Parameters:
        del secret
        type_name = self.type_name(message.cra)
        if type_name is None:
            raise GbcsDecodeError(
                "the use case has no such message",
                path="CRA flag",
                expected="an alert" if self.is_alert else "a command or response",
                found=message.cra.name.lower(),
            )
        try:
            parameters = asn1.decode(type_name, message.content)
        except GbcsDecodeError as error:
            raise _placed(error, content_offset(message)) from error.__cause__
        if self.activation and message.cra is Cra.COMMAND:
            parameters.setdefault(self.activation, IMMEDIATE)
        return parameters

    def encode(self, header: Message, parameters: Parameters, secret: bytes | None) -> bytes:
        del secret
        type_name = self.type_name(header.cra)
        if type_name is None:
            raise GbcsEncodeError("the use case has no such message", found=header.cra.name.lower())
        if self.activation and header.cra is Cra.COMMAND and parameters.get(self.activation) == IMMEDIATE:
            parameters = {name: value for name, value in parameters.items() if name != self.activation}
        return asn1.encode(type_name, parameters)

    def type_name(self, cra: Cra) -> str | None:
        return {Cra.COMMAND: self.command, Cra.RESPONSE: self.response, Cra.ALERT: self.alert}[cra]


def _placed(error: GbcsDecodeError, base: int) -> GbcsDecodeError:
    """`error` with its offset counted from the start of the message: the codec knows the content alone."""
    return GbcsDecodeError(
        error.what,
        offset=None if error.offset is None else error.offset + base,
        path=error.path,
        expected=error.expected,
        found=error.found,
        spec=error.spec,
    )
