"""The issuing authorities that the published commands bring along, as pinned anchors.

No root of the published certificates is published, so path validation ends at their issuer: the authority
named Z1, whose certificate stands in the paths of commands. Others are trusted by nobody.

Spec: RTDS 4.5.0; GBCS 13.3.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from smetslab.errors import CertificateError, CodecError
from smetslab.gbcs.usecases import decode_content
from smetslab.gbcs.usecases.registry import by_code
from smetslab.gbcs.values import from_hex
from smetslab.pki import Certificate, TrustAnchor, parse_certificate
from smetslab.rtds.scenarios import Scenario, read_message

ISSUER: Final = "Z1"
_UPDATES: Final = ("CS02b.", "CS02g.")


def find_anchors(scenarios: Iterable[Scenario]) -> tuple[TrustAnchor, ...]:
    """The trusted issuer, as the commands of `scenarios` show it; nothing when none does."""
    for scenario in scenarios:
        path = scenario.command or scenario.pre_command
        if path is None or "CS02" not in scenario.folder:
            continue
        for certificate in _path_of(scenario):
            if certificate.subject.common_name == ISSUER:
                return (TrustAnchor.of(certificate),)
    return ()


def _path_of(scenario: Scenario) -> list[Certificate]:
    path = scenario.command or scenario.pre_command
    if path is None:
        return []
    try:
        command = read_message(path)
        use_case = by_code(command.message_code)
        if use_case is None or not use_case.name.startswith(_UPDATES):
            return []
        given = decode_content(use_case, command).get("certification_path_certificates")
        octets = given if isinstance(given, list) else []
        return [parse_certificate(from_hex(der, "certification path")) for der in octets]
    except (CodecError, CertificateError):
        return []
