"""GBZ: ZCL frames inside GBCS messages, for gas devices and the hub's gas side.

`payload` is the framing: components, encrypted or plain, and alerts. `naming` and `components` give their ZCL
payloads the names of the clusters of `smetslab.zigbee.zcl`, both ways; `generic` does so without a use case.
What a use case's content looks like is declared in `smetslab.gbcs.usecases`; this package knows none.
"""
