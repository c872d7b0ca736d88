"""Prepayment of an ESME: which top-up is accepted, and where its money goes. Pure functions of values."""
