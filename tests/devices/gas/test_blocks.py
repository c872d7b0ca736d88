"""Which block of a tariff each millilitre of gas is counted in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any

from account_life import parameters_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prepaying_home import gas_tariff

MakeBench = Callable[..., Any]
_NUMBERS = count()
HOURS = 24
PER_ML, PART = 391 * 102_264, 3_600_000
"""Thousandths of a watt hour of a millilitre: 39.1 MJ/m3 x 1.02264 / 3.6, as a fraction of whole numbers."""


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    half_hour_ml=st.integers(100_000, 400_000),
    step=st.integers(10_000, 50_000),
    looks=st.lists(st.integers(1, HOURS * 3_600_000_000 - 1), max_size=20, unique=True),
)
def test_the_millilitre_that_reaches_a_threshold_is_the_last_of_its_block_whenever_it_is_measured(
    make_gas_bench: MakeBench, half_hour_ml: int, step: int, looks: list[int]
) -> None:
    """`looks`: microseconds after the tariff began at which somebody looks, so that the meter measures."""
    bench = make_gas_bench(half_hour_ml=half_hour_ml, owner=f"blocks/{next(_NUMBERS)}")
    worth = {"ConversionFactor": "1.02264", "CalorificValue": "39.1"}
    thresholds = (step, 2 * step, 3 * step)
    tariff = gas_tariff((1, 1), (9_000, 8_000, 7_000, 6_000), 0, thresholds)
    for variant, name, elements in (("6.6", "GCS23", worth), ("1.1.1", "GCS01a", tariff)):
        parameters: Any = parameters_of(variant, name, elements, bench.now)
        assert {one["status"] for one in bench.ask(name, *parameters["components"])} == {"success"}
    begin, registers = bench.now, bench.core.meter.registers
    assert registers.block_mwh == 0
    before = registers.total, list(registers.blocks)
    for look in sorted(looks):
        bench.pass_time(begin + timedelta(microseconds=look) - bench.now)
        bench.core.settle(bench.now)
    bench.pass_time(begin + timedelta(hours=HOURS) - bench.now)
    bench.core.settle(bench.now)

    used = registers.total - before[0]
    assert used == 2 * HOURS * half_hour_ml
    borders = [min(used, -(-1_000 * threshold * PART // PER_ML)) for threshold in thresholds]
    expected = [last - first for first, last in zip([0, *borders], [*borders, used], strict=True)]
    assert [now - then for then, now in zip(before[1], registers.blocks, strict=True)] == expected
