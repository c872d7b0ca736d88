"""Prepayment, electricity and gas: accounts, top-up codes, lock-out. Free of I/O; must not know COSEM or
ZCL."""
