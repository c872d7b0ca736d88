"""Evidence packs: written whole or not at all, chained, signed, and checked again without the laboratory.

One layout for the whole product: `manifest.json` and `manifest.sig`, `evidence.jsonl` (hash-chained
records), `report.json`, `report.html`, `junit.xml`, optionally `report.pdf`, and `inputs/`. Only the
manifest's `environment` differs between two runs with one seed. What a pack says is decided by
`harness.records` and `harness.judge`; this package must not know what a bench is made of.

Spec: SEC Section F4.4 (evidence of testing).
"""
