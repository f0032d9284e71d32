"""What is known of each hop's latency, with its source: the data of ``hops.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.latency_model.distributions import Latency, between

if TYPE_CHECKING:
    from collections.abc import Mapping

_DATA = Path(__file__).with_name("hops.toml")


class Basis(StrEnum):
    """What the figures of a hop rest on."""

    PUBLISHED = "published"
    """Measured and published by somebody."""
    BOUNDED = "bounded"
    """Chosen within a published bound."""
    ASSUMED = "assumed"
    """Chosen for want of a publication."""


class Clients(StrEnum):
    """Where the players are."""

    FIXED = "fixed"
    """On a fixed line in a country with a region."""
    MOBILE = "mobile"
    """On a mobile line."""


@dataclass(frozen=True, slots=True)
class HopFigures:
    """What is known of one hop.

    Attributes
    ----------
    key, what
        Its name in the data, and what it covers.
    latency
        How long it takes.
    basis, source, year
        What the figures rest on; the year is that of a measurement.
    """

    key: str
    what: str
    latency: Latency
    basis: Basis
    source: str
    year: int | None

    def times(self, factor: float) -> HopFigures:
        """Return the figures of something that takes `factor` times as long."""
        return replace(self, latency=self.latency.times(factor))


@cache
def hop_figures() -> Mapping[str, HopFigures]:
    """Return all figures by key."""
    with _DATA.open("rb") as file:
        document: dict[str, dict[str, Any]] = tomllib.load(file)
    return {key: _figures(key, entry) for key, entry in document.items()}


def transaction_figures(items: int) -> HopFigures:
    """Return the figures of a conflict-free TransactWriteItems.

    Measured are 5 and 25 items; between and above them each percentile is interpolated by the number of items, below 5
    the figures of 5 are used.

    Parameters
    ----------
    items
        Actions in the transaction, 1..100.
    """
    few, many = hop_figures()["transaction_5"], hop_figures()["transaction_25"]
    share = max(items - 5, 0) / 20
    what = f"DynamoDB TransactWriteItems of {items} items, conflict-free"
    latency = between(few.latency, many.latency, share)
    return HopFigures(few.key, what, latency, few.basis, few.source, few.year)


def _figures(key: str, entry: Mapping[str, Any]) -> HopFigures:
    points = {float(percent): float(value) for percent, value in entry["percentiles"].items()}
    ends = {name: float(entry[given]) for name, given in _ENDS.items() if given in entry}
    latency = Latency(points, **ends)
    return HopFigures(key, entry["what"], latency, Basis(entry["basis"]), entry["source"], entry.get("year"))


_ENDS = {"lowest_ms": "lowest", "highest_ms": "highest"}
