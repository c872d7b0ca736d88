"""The HTTP faces of the DCC: the three DUIS services, call-backs to service users, the SMKI repository.

Plain ASGI applications and one client, without sockets of their own: `smetslab.lab.serve` runs them, tests
call them in memory. They know documents, signatures and HTTP; what a request means is `MockDcc`'s business.
Waits between two computers are in real seconds, never in laboratory time.
"""
