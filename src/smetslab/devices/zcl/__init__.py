"""The ZCL engine: one interpreter of GBZ commands for every ZigBee device that answers Remote Parties.

A device is declared: the attributes that its use cases read, and what each command does when it takes effect
(`model`). The engine reads a command by its use case, runs its components in order, keeps future-dated ones
until their time, and writes the response. It knows no device: what is measured or computed is bound by name.

Spec: GBCS 7.2.9 (GBZ content), 9.2 (future dating); ZSE 1.4 annex D (clusters)
"""
