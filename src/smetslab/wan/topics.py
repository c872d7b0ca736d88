"""What the WAN looks like on an MQTT broker: its address, its topics and the form of its messages. Sans-I/O.

Under `smetslab/SITE`: `node/NAME/post` carries what that node is to get (`smetslab.wan.parcels`);
`hub/EUI/state` says (retained) which node has the hub; `node/NAME/state` says (retained, with a last will)
whether a node is there. All of it is this laboratory's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias
from urllib.parse import parse_qs, unquote, urlsplit

from smetslab.errors import CodecError, UsageError
from smetslab.ids import Eui64
from smetslab.wan.service import Kind, WanMessage

Direction: TypeAlias = Literal["down", "up"]

HEAD_NODE: Final = "head"
HERE: Final = b"here"
LOST: Final = b"lost"

MAX_PAYLOAD_OCTETS: Final = 16 * 1024 * 1024
"""A choice: above the largest firmware image (10 MB)."""

_PORT, _TLS_PORT = 1883, 8883
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_OPTIONS: Final = ("ca", "cert", "key")
_KINDS: Final[dict[int, Kind]] = {0: "gbcs", 1: "firmware", 2: "hub-firmware"}
_HINT: Final = "mqtt://[USER:PASSWORD@]HOST[:PORT][/SITE], or mqtts:// with ?ca=FILE&cert=FILE&key=FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttAddress:
    """Where the broker is and how to speak to it. `site` keeps laboratories on one broker apart."""

    host: str
    port: int
    site: str = "lab"
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None

    def __str__(self) -> str:
        scheme = "mqtts" if self.tls else "mqtt"
        return f"{scheme}://{self.host}:{self.port}/{self.site}"


def is_name(text: str) -> bool:
    """Whether a site or a node may be called so: nothing that means something in a topic."""
    return _NAME.fullmatch(text) is not None


def parse_address(url: str) -> MqttAddress:
    """Raises UsageError that names the part that is wrong."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UsageError(f"WAN address {url!r}: {error}", hint=_HINT) from error
    if parts.scheme not in {"mqtt", "mqtts"}:
        raise UsageError(f"WAN address {url!r}: scheme {parts.scheme or 'missing'}", hint=_HINT)
    tls = parts.scheme == "mqtts"
    try:
        port = parts.port or (_TLS_PORT if tls else _PORT)
    except ValueError as error:
        raise UsageError(f"WAN address: port: {error}", hint=_HINT) from error
    if not parts.hostname:
        raise UsageError(f"WAN address {url!r}: no host", hint=_HINT)
    site = unquote(parts.path.strip("/")) or "lab"
    if not is_name(site):
        raise UsageError(f"WAN address: site {site!r}: letters, digits, '.', '_' and '-' alone", hint=_HINT)
    options = parse_qs(parts.query, keep_blank_values=True)
    odd = [name for name in options if name not in _OPTIONS]
    if odd or (options and not tls):
        what = ", ".join(odd) if odd else "files without mqtts://"
        raise UsageError(f"WAN address: options: {what}", hint=_HINT)
    return MqttAddress(
        host=parts.hostname,
        port=port,
        site=site,
        tls=tls,
        username=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
        ca_file=options.get("ca", [None])[0],
        certificate_file=options.get("cert", [None])[0],
        key_file=options.get("key", [None])[0],
    )


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one site."""

    site: str

    def post(self, node: str) -> str:
        """Where a node gets messages of its hubs, and receipts."""
        return f"smetslab/{self.site}/node/{node}/post"

    def hub(self, hub: Eui64 | None) -> str:
        """Where it stands which node has a hub; of every hub when it is None."""
        return f"smetslab/{self.site}/hub/{'+' if hub is None else hub}/state"

    def node(self, name: str | None) -> str:
        """Where it stands whether a node is there; of every node when it is None."""
        return f"smetslab/{self.site}/node/{name or '+'}/state"

    def read(self, topic: str) -> tuple[Literal["post", "hub", "node"], str]:
        """Kind (`post`, `hub`, `node`) and name (EUI or node) of a topic. Raises CodecError when it is none
        of these.
        """
        match topic.split("/"):
            case ["smetslab", self.site, "node", name, "post"]:
                return "post", name
            case ["smetslab", self.site, "node", name, "state"]:
                return "node", name
            case ["smetslab", self.site, "hub", name, "state"]:
                return "hub", name
        raise CodecError("not a topic of the WAN", path="topic", found=topic[:120])


def encode_message(message: WanMessage) -> bytes:
    """Kind, length of the identity, identity, payload. Raises CodecError."""
    identity = message.identity.encode()
    if not 1 <= len(identity) <= 0xFF or len(message.payload) > MAX_PAYLOAD_OCTETS:
        raise CodecError("message does not fit", path="identity", expected="1 to 255 octets")
    kind = next(number for number, name in _KINDS.items() if name == message.kind)
    return bytes((kind, len(identity))) + identity + message.payload


def decode_message(hub: Eui64, octets: bytes) -> WanMessage:
    """The message in the payload of a topic of `hub`. Raises CodecError."""
    if len(octets) < 3 or octets[0] not in _KINDS or not octets[1] or len(octets) < 2 + octets[1]:
        raise CodecError("not a message of the WAN", offset=0, path="payload", found=octets[:16].hex())
    if len(octets) > MAX_PAYLOAD_OCTETS + 2 + 0xFF:
        raise CodecError("message too long", offset=MAX_PAYLOAD_OCTETS, path="payload")
    end = 2 + octets[1]
    try:
        identity = octets[2:end].decode()
    except UnicodeDecodeError as error:
        raise CodecError("identity is no text", offset=2, path="identity") from error
    return WanMessage(identity, hub, octets[end:], _KINDS[octets[0]])
