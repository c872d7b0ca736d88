"""The decoders of this laboratory: what reads the bytes of each layer of the trace."""

from __future__ import annotations

from smetslab.gbcs.describe import describe
from smetslab.harness.decoding import Decoders
from smetslab.harness.zcl_frames import describe_zcl


def standard_decoders() -> Decoders:
    """GBCS messages wherever they are observed, ZCL frames on the HAN."""
    return Decoders({layer: describe for layer in ("gbcs", "wan", "dcc", "device")}, {"han": describe_zcl})
