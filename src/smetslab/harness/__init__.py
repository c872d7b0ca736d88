"""The harness: cases, suites, verdicts, obligations, and the evidence they leave behind.

A case is declared once and run by the small runner of this package, which owns the loop, the seed, the
verdict and the evidence. The harness knows a bench only as something with a trace, a clock and named
parties; what a bench is made of is known to `harness.suites` alone.
"""
