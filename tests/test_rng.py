"""Chance is seeded: a stream depends on the root seed and its name, and on nothing else."""

from __future__ import annotations

import hashlib

from smetslab.rng import RootSeed


def test_same_seed_and_name_give_the_same_numbers() -> None:
    one, two = RootSeed(7).stream("air.loss"), RootSeed(7).stream("air.loss")
    assert [one.random() for _ in range(5)] == [two.random() for _ in range(5)]


def test_streams_differ_by_name_and_by_seed() -> None:
    drawn = {
        RootSeed(seed).stream(name).getrandbits(64) for seed in (1, 2, -1) for name in ("air", "air.loss", "")
    }
    assert len(drawn) == 9


def test_drawing_from_one_stream_leaves_the_others_alone() -> None:
    seed = RootSeed(3)
    before = seed.stream("b").random()
    seed.stream("a").random()
    assert seed.stream("b").random() == before


def test_octets_are_those_of_the_documented_hash() -> None:
    """Evidence names a seed: whoever reads it in years must come to the same keys."""
    assert RootSeed(5).octets("pki.esme", 48) == hashlib.shake_256(b"smetslab/5/pki.esme").digest(48)


def test_child_is_a_root_of_its_own() -> None:
    child = RootSeed(5).child("case.1")
    assert child.value == RootSeed(5).child("case.1").value
    assert child.octets("x", 8) != RootSeed(5).octets("x", 8)
    assert child.value != RootSeed(5).child("case.2").value


def test_draws_depend_on_their_name_and_spread_evenly() -> None:
    seed = RootSeed(7)
    numbers = [draws.random() for draws in [seed.draws("a")] for _ in range(4000)]
    again, other = seed.draws("a"), seed.draws("b")
    assert [again.random() for _ in range(3)] == numbers[:3]
    assert other.random() != numbers[0]
    assert all(0 <= number < 1 for number in numbers)
    tenths = [sum(place / 10 <= number < (place + 1) / 10 for number in numbers) for place in range(10)]
    assert all(300 < count < 500 for count in tenths)
    assert all(2 <= seed.draws(str(name)).uniform(2, 3) <= 3 for name in range(50))
