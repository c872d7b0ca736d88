"""What is understood of the envelopes of a message that may be damaged, and what was noticed on the way."""

from __future__ import annotations

from dataclasses import dataclass, field

from smetslab.gbcs.message import Message
from smetslab.gbcs.triage.findings import Check, Finding, failed

SPEC = "GBCS 7.2.7"
MAC_SPEC = "GBCS 7.2.8"


@dataclass(slots=True)
class Envelope:
    """What was understood. Offsets count from the start of `data`.

    `message` is None when not even the parties could be read; its parts may be cut or too long where
    `strict` is false. `grouping` is where the grouping header starts (-1: one octet before the data),
    `content` from where to where the content goes. `claimed` is what the ciphered service length says, which
    stands at `length_place`.
    """

    data: bytes
    message: Message | None = None
    strict: bool = False
    grouping: int | None = None
    content: tuple[int, int] | None = None
    maced: bool = False
    claimed: int | None = None
    length_place: int = 0
    findings: list[Finding] = field(default_factory=list)

    def octet(self, position: int) -> str:
        """The octet at `position`, for a finding."""
        return f"{self.data[position]:02X}" if 0 <= position < len(self.data) else "the end"

    def fail(
        self,
        text: str,
        *,
        offset: int,
        field: str,
        expected: str = "",
        found: str = "",
        check: Check = Check.FRAMING,
        spec: str = SPEC,
        decisive: bool = True,
    ) -> None:
        """Note what is wrong at `offset`."""
        self.findings.append(
            failed(
                check,
                text,
                offset=offset,
                field=field,
                expected=expected,
                found=found,
                spec=spec,
                decisive=decisive,
            )
        )

    def fail_length(
        self,
        text: str,
        *,
        offset: int,
        field: str,
        expected: str = "",
        found: str = "",
        decisive: bool = True,
    ) -> None:
        """Note a length that is wrong, or octets that are missing or too many."""
        self.fail(
            text,
            offset=offset,
            field=field,
            expected=expected,
            found=found,
            check=Check.LENGTHS,
            decisive=decisive,
        )
