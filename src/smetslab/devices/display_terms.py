"""Numbers of the Price and Calendar clusters, and registers, that meters write and displays read."""

from __future__ import annotations

from typing import Final

from smetslab.devices.gas_model import BLOCK_COUNTERS, TIER_REGISTERS
from smetslab.zigbee.zcl.clusters.metering import Metering

KILOWATT_HOURS: Final = 0
POUND, EURO = 826, 978
PRICE_DIGITS: Final = 5 << 4
"""Decimal places of a price in pounds, in the high four bits."""
NO_END: Final = 0xFFFF
BLOCKS_OF_RATES, RATES = 0, 1
"""What a price matrix counts. Spec: ZSE 1.4 D.4.2.4.6."""
GIVEN_TIER, ALL_TIERS = 0, 1
"""Which tiers a row of thresholds is for. Spec: ZSE 1.4 D.4.2.4.7."""
FIRST_BLOCK_SCRIPT: Final = 100
"""The script of an electricity tariff that selects the first column of blocks is the next one. Spec: SMETS
5.7.4.47; that calendars on the HAN keep the numbers of scripts is unverified."""
MOST_PRICES, MOST_THRESHOLDS, MOST_ENTRIES = 8, 3, 14
"""Prices, rows of thresholds, and switching times or days of one command, so that its frame needs no
fragments. Unverified."""
RATE_REGISTERS: Final = (*TIER_REGISTERS, *Metering.tier_summations)
"""From the first rate on."""
BLOCK_REGISTERS: Final = (*BLOCK_COUNTERS, *Metering.block_summations)
"""Four blocks without a tier, then four of each tier."""
