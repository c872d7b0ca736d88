"""GBCS messages: framing, protection and payloads, as functions between bytes and frozen values.

Sans-I/O: knows no clock, socket, file or task, and nothing of devices or the DCC.
"""
