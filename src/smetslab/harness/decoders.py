"""The decoders of this laboratory: what reads the bytes of each layer of the trace."""

from __future__ import annotations

from smetslab.harness.air import describe_air
from smetslab.harness.blocks import describe_gbcs
from smetslab.harness.decoding import Decoders
from smetslab.harness.zcl_frames import describe_zcl


def standard_decoders() -> Decoders:
    """GBCS messages and their blocks wherever they are observed, ZCL frames on the HAN, frames on the air."""
    return Decoders(
        dict.fromkeys(("gbcs", "wan", "dcc", "device"), describe_gbcs),
        {"air": describe_air, "han": describe_zcl},
    )
