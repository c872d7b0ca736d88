"""DLMS as GBCS uses it: A-XDR data, ACCESS and data-notification APDUs, and class 30 data protection."""
