"""Alerts with content that is encrypted to their recipient. Spec: GBCS 8.4, use case ECS68."""

from __future__ import annotations

from dataclasses import dataclass

from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.axdr import Data, Sequence, Tag
from smetslab.gbcs.dlms.protection import ProtectedRead
from smetslab.gbcs.dlms.shapes import mismatch
from smetslab.gbcs.message import Message
from smetslab.gbcs.usecases.dlms import ALERT, DlmsAlert
from smetslab.gbcs.values import Parameters

_SEALED_MEMBERS = 2


@dataclass(frozen=True, slots=True)
class SealedAlert(DlmsAlert):
    """An alert whose last two members are protection parameters and what they protect.

    `name` is what the protected part is called: its objects by name, or `protected` with the sealed octets
    where the key is not at hand.
    """

    name: str
    sealed: ProtectedRead

    encrypts_response = True

    def read(self, body: Data, message: Message, secret: bytes | None) -> Parameters:
        count = len(self.body.members) + _SEALED_MEMBERS
        if not isinstance(body, Sequence) or body.tag is not Tag.STRUCTURE or len(body.items) != count:
            raise mismatch(body, ALERT, f"structure of {count}")
        head = Sequence(Tag.STRUCTURE, body.items[:-_SEALED_MEMBERS])
        protected = axdr.structure(*body.items[-_SEALED_MEMBERS:])
        path = f"{ALERT}.{self.name}"
        return {
            **DlmsAlert.read(self, head, message, secret),
            self.name: self.sealed.decode_response(protected, message, secret, path),
        }

    def write(self, parameters: Parameters, header: Message, secret: bytes | None) -> Data:
        given = {name: value for name, value in parameters.items() if name != self.name}
        head = self.body.encode(given, ALERT)
        path = f"{ALERT}.{self.name}"
        protected = self.sealed.encode_response(parameters.get(self.name), header, secret, path)
        members = [item for part in (head, protected) if isinstance(part, Sequence) for item in part.items]
        return axdr.structure(*members)
