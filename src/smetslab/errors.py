"""Every exception that smetslab raises on purpose: one tree with one root.

An error tells where (byte offset, field path), what was expected, what was found, and which clause of which
specification says so. Nothing here may import another smetslab module.
"""

from __future__ import annotations

from typing import Self


class SmetsLabError(Exception):
    """Root of every deliberate smetslab exception."""


def joined(outer: str, inner: str) -> str:
    """The field path `inner` inside the field `outer`: `a.b`, `a[0]`, `a[0].b`."""
    joint = "." if outer and inner and not inner.startswith("[") else ""
    return f"{outer}{joint}{inner}"


class CodecError(SmetsLabError):
    """Bytes cannot be the thing they are read as, or a value cannot be written as bytes.

    Attributes: `what` (one clause of plain words), `offset` (byte offset from the start of the outermost
    message, None for values that have no place yet), `path` (field path such as `grouping header:
    originator`),
    `expected`, `found`, `spec` (document and section).
    """

    def __init__(
        self,
        what: str,
        *,
        offset: int | None = None,
        path: str = "",
        expected: str = "",
        found: str = "",
        spec: str = "",
    ) -> None:
        self.what = what
        self.offset = offset
        self.path = path
        self.expected = expected
        self.found = found
        self.spec = spec
        super().__init__(self._text())

    def _text(self) -> str:
        text = f"{self.path}: {self.what}" if self.path else self.what
        if self.offset is not None:
            text += f" at byte {self.offset}"
        if self.expected:
            text += f", expected {self.expected}"
        if self.found:
            text += f", found {self.found}"
        if self.spec:
            text += f" ({self.spec})"
        return text

    def within(self, prefix: str) -> Self:
        """The same error with `prefix` put before its field path; used while an error climbs out of a
        nest."""
        return self._like(joined(prefix, self.path), self.offset)

    def moved(self, base: int) -> Self:
        """The same error, its offset counted from `base` octets before."""
        return self._like(self.path, None if self.offset is None else base + self.offset)

    def _like(self, path: str, offset: int | None) -> Self:
        return type(self)(
            self.what, offset=offset, path=path, expected=self.expected, found=self.found, spec=self.spec
        )


class GbcsDecodeError(CodecError):
    """Bytes are not the GBCS message, payload or parameter set they are read as."""


class GbcsEncodeError(CodecError):
    """A value does not fit the GBCS message, payload or parameter set it is written into."""


class ZclDecodeError(CodecError):
    """Bytes are not the ZCL frame or value they are read as."""


class ZclEncodeError(CodecError):
    """A value does not fit the ZCL frame it is written into."""


class ZigbeeDecodeError(CodecError):
    """Bytes are not the ZigBee frame, certificate or command below ZCL that they are read as."""


class ZigbeeEncodeError(CodecError):
    """A value does not fit the ZigBee frame below ZCL that it is written into."""


class CaptureError(SmetsLabError):
    """A file is not the capture, or the list of keys, that it is read as. Attributes: `offset`, `line`."""

    def __init__(self, what: str, offset: int | None, *, line: int | None = None) -> None:
        self.offset = offset
        self.line = line
        place = f" at byte {offset}" if offset is not None else f" in line {line}" if line is not None else ""
        super().__init__(f"capture: {what}{place}")


class DuisError(CodecError):
    """A DUIS document is not well formed, not valid, or lacks what its service request needs."""


class FirmwareError(CodecError):
    """Bytes are not the firmware file that they are read as, or a value does not fit one."""


class ProtocolError(SmetsLabError):
    """The rules of a protocol were broken; `code` is the protocol's own code where it has one."""

    def __init__(self, what: str, *, code: int | str | None = None, spec: str = "") -> None:
        self.code = code
        self.spec = spec
        super().__init__(f"{what} ({spec})" if spec else what)


class LocalProtocolError(ProtocolError):
    """We were about to break the rules: a bug of the caller."""


class RemoteProtocolError(ProtocolError):
    """The peer broke the rules: a finding, which feeds a verdict."""


class SecurityError(SmetsLabError):
    """A MAC, signature, counter, role or certificate check failed. Never carries key bytes."""

    def __init__(self, check: str, what: str, *, spec: str = "") -> None:
        self.check = check
        self.spec = spec
        super().__init__(f"{check}: {what}" + (f" ({spec})" if spec else ""))


class CertificateError(SecurityError):
    """A certificate does not match its profile, its path or its purpose."""

    def __init__(self, what: str, *, spec: str = "") -> None:
        super().__init__("certificate", what, spec=spec)


class TransportError(SmetsLabError):
    """Medium trouble. `transient` tells the caller, who owns the retry, whether one may help."""

    def __init__(self, what: str, *, transient: bool = True) -> None:
        self.transient = transient
        super().__init__(what)


class WanError(TransportError):
    """The WAN could not carry a message."""


class HanError(TransportError):
    """The HAN could not carry a frame."""


class RegistryError(SmetsLabError):
    """A registry of declarations or products refuses an entry; `rule` names the rule."""

    def __init__(self, what: str, *, rule: str = "") -> None:
        self.rule = rule
        super().__init__(f"{what} [{rule}]" if rule else what)


class StoreError(SmetsLabError):
    """The store could not read or keep something."""


class UsageError(SmetsLabError):
    """The person asked for something impossible; `hint` says what to do next. Exit code 2."""

    def __init__(self, what: str, *, hint: str = "") -> None:
        self.hint = hint
        super().__init__(what)
