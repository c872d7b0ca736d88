"""Registers of an account are those of 32 bits."""

from __future__ import annotations

from smetslab.devices.prepay.state import AccountState


def test_registers_stop_where_their_32_bits_end() -> None:
    state = AccountState(meter_balance=-(1 << 31) - 1, payment_debt=1 << 31, time_debt_1=7)
    state.bound()
    assert (state.meter_balance, state.payment_debt, state.time_debt_1) == (-(1 << 31), (1 << 31) - 1, 7)
