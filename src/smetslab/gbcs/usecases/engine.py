"""One door to all use cases: content to named parameters and back, checked against the declaration.

Parameters are JSON-able (`smetslab.gbcs.values`). A response has, besides its values, `failures` with the
result of each item that did not succeed; an alert has `alert_code`, `time_stamp` and its own members.
"""

from __future__ import annotations

from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.message import Message
from smetslab.gbcs.usecases.model import FAILURES, UseCase
from smetslab.gbcs.values import Parameters, Value


def decode_content(use_case: UseCase, message: Message, secret: bytes | None = None) -> Parameters:
    """The named parameters of `message`'s content.

    `secret` is the shared secret for protected content; without it that content stays sealed.
    Raises GbcsDecodeError when the content is not the use case's shape, naming the first item that differs,
    and SecurityError when protected content does not open.
    """
    return use_case.payload.decode(message, secret)


def encode_content(
    use_case: UseCase, header: Message, parameters: Parameters, secret: bytes | None = None
) -> bytes:
    """The content for `parameters` in a message with `header`'s grouping header (its content is ignored).

    Raises GbcsEncodeError when a parameter is missing, unknown or does not fit.
    """
    return use_case.payload.encode(header, parameters, secret)


def activation_of(use_case: UseCase, parameters: Parameters) -> str | None:
    """The one date-time that all activations of a decoded command name, None when the use case has none.

    Raises GbcsDecodeError when they differ. Spec: GBCS 9.2 (all dates of one command are equal).
    """
    names = use_case.payload.activations
    times = {str(time) for name in names for time in _times(parameters, name)}
    if len(times) > 1:
        raise GbcsDecodeError(
            "activation times differ",
            path=", ".join(names),
            expected="one time",
            found=", ".join(sorted(times)),
            spec="GBCS 9.2",
        )
    return times.pop() if times else None


def _times(parameters: Parameters, name: str) -> list[Value]:
    """The values of one activation; `components[].start_time` is that member wherever a component has it."""
    holder, _, member = name.partition("[].")
    if not member:
        return [parameters[name]]
    items = parameters[holder]
    return (
        [item[member] for item in items if isinstance(item, dict) and member in item]
        if isinstance(items, list)
        else []
    )


def command_parameter_names(use_case: UseCase) -> tuple[str, ...]:
    """The parameters that a command of `use_case` needs."""
    return use_case.payload.command_parameters


__all__ = ["FAILURES", "activation_of", "command_parameter_names", "decode_content", "encode_content"]
