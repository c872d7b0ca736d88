"""Virtual devices: what stands at the far end of a GBCS command and answers from its own state.

A device is a synchronous core (acceptance, COSEM server, logs, future-dated work: all sans-I/O, `now` is an
argument) inside a small asynchronous shell that owns its power, its inbox and its tunnel. Everything that the
core must remember is in non-volatile memory before anything leaves that acknowledges it; a power cut throws
the
core away and a restore builds a new one from that memory.

Nothing here knows the DCC, DUIS, or which test is running.
"""
