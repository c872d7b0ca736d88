"""Closed lists of DUIS: roles, command variants, web services, kinds of future dating, response codes.

Spec: DUIS schema 5.4 (CommandVariant, ResponseCode); service request matrix of the SEC; public summary of the
response codes.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final


class UserRole(StrEnum):
    """What a service user is towards a device. Spec: service request matrix of the SEC."""

    IMPORT_SUPPLIER = "IS"
    EXPORT_SUPPLIER = "ES"
    GAS_SUPPLIER = "GS"
    REGISTERED_SUPPLIER_AGENT = "RSA"
    ELECTRICITY_DISTRIBUTOR = "ED"
    GAS_TRANSPORTER = "GT"
    OTHER_USER = "OU"


class WebService(StrEnum):
    """The three doors of the DCC, named as at the end of their paths."""

    TRANSFORM = "serviceT"
    SEND_COMMAND = "serviceS"
    NON_DEVICE = "serviceD"


class CommandVariant(IntEnum):
    """What is to be done with a request. Spec: DUIS schema 5.4, type CommandVariant."""

    SEND = 1
    RETURN_LOCALLY = 2
    SEND_AND_RETURN_LOCALLY = 3
    TRANSFORM = 4
    SEND_SIGNED = 5
    RETURN_SIGNED_LOCALLY = 6
    SEND_AND_RETURN_SIGNED_LOCALLY = 7
    NON_DEVICE = 8
    UNUSED = 9

    @property
    def service(self) -> WebService | None:
        """The web service that takes it; None for the variant that nothing uses."""
        return _SERVICES.get(self)

    @property
    def signed(self) -> bool:
        """The body is a signed pre-command."""
        return self in {self.SEND_SIGNED, self.RETURN_SIGNED_LOCALLY, self.SEND_AND_RETURN_SIGNED_LOCALLY}

    @property
    def local(self) -> bool:
        """The command is handed back for delivery on the premises."""
        return self in {
            self.RETURN_LOCALLY,
            self.SEND_AND_RETURN_LOCALLY,
            self.RETURN_SIGNED_LOCALLY,
            self.SEND_AND_RETURN_SIGNED_LOCALLY,
        }

    @property
    def sent(self) -> bool:
        """The command goes to the device over the WAN."""
        return self in {
            self.SEND,
            self.SEND_AND_RETURN_LOCALLY,
            self.SEND_SIGNED,
            self.SEND_AND_RETURN_SIGNED_LOCALLY,
        }


_SERVICES: Final = {
    CommandVariant.SEND: WebService.SEND_COMMAND,
    CommandVariant.RETURN_LOCALLY: WebService.NON_DEVICE,
    CommandVariant.SEND_AND_RETURN_LOCALLY: WebService.SEND_COMMAND,
    CommandVariant.TRANSFORM: WebService.TRANSFORM,
    CommandVariant.SEND_SIGNED: WebService.SEND_COMMAND,
    CommandVariant.RETURN_SIGNED_LOCALLY: WebService.NON_DEVICE,
    CommandVariant.SEND_AND_RETURN_SIGNED_LOCALLY: WebService.SEND_COMMAND,
    CommandVariant.NON_DEVICE: WebService.NON_DEVICE,
}


class FutureDating(StrEnum):
    """Who keeps a request until its time: nobody, the device, the DCC, or both."""

    NO = "No"
    DEVICE = "Device"
    DSP = "DSP"
    DSP_AND_DEVICE = "DSP & Device"

    @property
    def held_by_dcc(self) -> bool:
        return self in {self.DSP, self.DSP_AND_DEVICE}


class ResponseCode:
    """The response codes that the mock DCC gives of its own accord. Not closed: the schema lists 194."""

    SUCCESS: Final = "I0"
    ACKNOWLEDGED: Final = "I99"
    UNKNOWN_USER: Final = "E1"
    ROLE_NOT_ELIGIBLE: Final = "E2"
    USER_SUSPENDED: Final = "E3"
    NOT_RESPONSIBLE: Final = "E4"
    DEVICE_STATUS: Final = "E5"
    WRONG_DEVICE_TYPE: Final = "E11"
    WRONG_COMMAND_VARIANT: Final = "E12"
    WRONG_SERVICE: Final = "E13"
    LOCAL_COMMAND_REFUSED: Final = "E17"
    UNKNOWN_DEVICE: Final = "E19"
    NO_COMMUNICATION: Final = "E20"
    NO_RESPONSE: Final = "E21"
    FUTURE_DATED_TIME_OUT: Final = "E30"
    PRECEDING_FAILED: Final = "E40"
    SEQUENCE_TIME_OUT: Final = "E41"
    QUARANTINE_REFUSED: Final = "E49"
    """All three unverified: no source gives the wording of E40 to E71."""
    UNASSIGNED: Final = "E65"
    """Refusals whose code no public source names. E65 was seen as such a synchronous refusal; unverified."""
