"""The simulated air: what radios send, and what the others hear of it.

A medium joins the radios of one channel, of one home or of several; a MAC entity makes frames of a radio
reliable. Time and chance are given: everything runs on a scheduler, virtual or real, and on named streams of
a seed. This package knows frames of the MAC layer and nothing above.
"""
