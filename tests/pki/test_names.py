"""Distinguished names as text."""

from __future__ import annotations

import pytest

from smetslab.pki import oids
from smetslab.pki.names import DistinguishedName, name


@pytest.mark.parametrize(
    ("unit", "common_name", "text"),
    [
        ("07", "Z1", "CN=Z1,OU=07"),
        ("#a", "b, c+d", r"CN=b\, c\+d,OU=\#a"),
        (" 7 ", 'x"\\<>;', r"CN=x\"\\\<\>\;,OU=\ 7\ "),
    ],
)
def test_name_as_xml_signatures_write_it(unit: str, common_name: str, text: str) -> None:
    made = name((oids.ORGANISATIONAL_UNIT, unit), (oids.COMMON_NAME, common_name))
    assert made.rfc2253 == text
    assert DistinguishedName().rfc2253 == ""
