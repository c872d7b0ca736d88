"""DUIS: the XML documents between service users and the DCC, and how their requests map to use cases.

Bytes to frozen typed values and back, sans-I/O. Knows neither who may ask for what nor how a command travels:
that is `smetslab.dcc`.
"""
