"""Random histories of a market with every kind of order, and one long lively one."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import strategies as st

from market.side import Side
from tests.invariants.market_model import MATERIALS, PLAYERS, MarketModel

KINDS = ["GTC"] * 6 + ["GTD", "GTD", "IOC", "FOK", "MARKET", "post-only"]

Action = tuple[Any, ...]

places = st.tuples(
    st.just("place"),
    st.sampled_from(Side),
    st.sampled_from(KINDS),
    st.sampled_from(PLAYERS),
    st.sampled_from(MATERIALS),
    st.integers(8, 13),  # price
    st.integers(1, 9),  # quantity
    st.integers(1, 40),  # life
    st.integers(0, 8),  # time it takes to be stored
)
changes = st.one_of(
    st.tuples(st.sampled_from(["cancel", "expire"]), st.integers(0, 9)),
    st.tuples(st.just("reduce"), st.integers(0, 9), st.integers(1, 6)),
    st.tuples(st.just("replace"), st.integers(0, 9), st.integers(8, 13), st.integers(1, 12)),
    st.tuples(
        st.just("withdraw"), st.sampled_from(PLAYERS), st.sampled_from(["money", *MATERIALS]), st.integers(1, 900)
    ),
)
batches = st.tuples(
    st.just("match"), st.sampled_from(MATERIALS), st.integers(1, 8), st.sampled_from([None, None, 0, 1, 2])
)
settlements = st.tuples(st.just("settle"), st.sampled_from(MATERIALS), st.integers(1, 6))
histories = st.lists(st.one_of(places, places, places, changes, batches, batches, settlements), max_size=50)


def play(actions: list[Action], model: MarketModel | None = None) -> MarketModel:
    model = model or MarketModel()
    for action in actions:
        model.step(action)
    return model


def lively_market(seed: int = 20, actions: int = 520) -> MarketModel:
    """Play a long history and let it come to rest."""
    random = Random(seed)

    def action() -> Action:
        roll = random.random()
        if roll < 0.62:
            return (
                "place",
                random.choice(list(Side)),
                random.choice(KINDS),
                random.choice(PLAYERS),
                random.choice(MATERIALS),
                random.randint(8, 13),
                random.randint(1, 9),
                random.randint(1, 60),
                random.randint(0, 6),
            )
        if roll < 0.68:
            return ("cancel", random.randint(0, 9))
        if roll < 0.72:
            return ("reduce", random.randint(0, 9), random.randint(1, 6))
        if roll < 0.78:
            return ("replace", random.randint(0, 9), random.randint(8, 13), random.randint(2, 12))
        if roll < 0.95:
            return ("match", random.choice(MATERIALS), random.randint(1, 6), None)
        return ("settle", random.choice(MATERIALS), random.randint(5, 20))

    model = play([action() for _ in range(actions)])
    model.come_to_rest()
    return model
