"""GBZ: ZCL frames inside GBCS messages, for gas devices and the hub's gas side.

`payload` is the framing: components, encrypted or plain, and alerts. The commands and attributes inside are those
of `smetslab.zigbee.zcl`.
"""
