"""The command line: one module per noun, each thin: parse, call the library, print.

Knows how to show things and how to say what went wrong; decides nothing that the library does not decide.
"""
