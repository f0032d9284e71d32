"""What can be wrong with a history, and what is noted outside of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Problem: TypeAlias = Literal["altered", "missing", "reordered", "gap", "behind", "unarchived"]
"""``altered``: content or link does not fit the hashes; ``missing``: a number is not there; ``reordered``: not in the
stream's order; ``gap``: a write between two versions was never recorded; ``behind``: the last version is not the item
as it is now; ``unarchived``: the table will let the version go, and the archive does not have it."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A version's number and hash, noted outside the history: all up to there is fixed by it."""

    number: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong, and the version where it shows."""

    label: str
    problem: Problem
    text: str
