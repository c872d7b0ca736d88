"""Certificate-based key establishment: how two devices of a home agree on a link key of their own.

Binary Koblitz curves, implicit certificates (ECQV), the key agreement (ECMQV), and the protocol of the Key
Establishment cluster as a state machine. Pure: octets, private keys and the time go in, octets come out. This
package does not know who carries the messages, nor what the link key is for.

Spec: ZSE 1.4 annex C (cryptographic suites 1 and 2); SEC 1, SEC 4.
"""
