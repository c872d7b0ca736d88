"""A COSEM object server: objects are declarations, one engine interprets access lists against them.

It knows classes, objects, access rights and data types. What a value means to a meter is bound to it from
outside by name; it knows no message envelope but the grouping header that class 30 protects for.
"""
