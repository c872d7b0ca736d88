"""Fuzzing of every decoder: targets, their seeds made from the declarations, structure-aware mutations.

`tests/soak/fuzz_gbcs.py` drives a target with atheris, `tests/property/test_corpus.py` replays what it found.
"""
