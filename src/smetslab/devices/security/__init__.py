"""The ASN.1 use cases of a device: credentials, own keys, pairing, firmware activation, device log, clock.

All of them act on the one credential store, device log and firmware store of their device. `engine` executes
them; the other modules are what it executes. Knows no message envelope and no transport.
"""
