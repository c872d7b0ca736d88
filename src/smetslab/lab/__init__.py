"""The laboratory: a `lab.toml` becomes running premises with everything around them.

`lab.config` reads and checks the file. Composition knows every actor; no actor knows the laboratory.
"""
