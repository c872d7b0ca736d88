"""Captures of a ZigBee network as files that Wireshark reads and writes: packets, and keys that open them.

Octets in, octets out; whoever has a file or a socket carries them. This package does not know what is in a
frame.
"""
