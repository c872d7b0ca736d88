"""The ZigBee stack of a device on the simulated air: network, application support, and what joins them to
`ApsService`.

Each layer is an entity that is called with what comes from the layer below and calls the one above. They know
the frames of `smetslab.zigbee`, a scheduler and named streams of chance; no task, no socket, no device model.
"""
