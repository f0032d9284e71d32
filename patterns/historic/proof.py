"""Proves that an item's history is whole, or says what is wrong with it and where.

Three independent threads run through the versions. The *numbers* have no hole, so a deleted version shows. Each
version holds the *hash* of the one before, so an altered, exchanged or reordered one shows. And each one's image
*before* is the image the last one left, so a write that never reached the history shows. If every write changes some
attribute to a value the item never had (a change id, a version), two images of an item are never alike and the third
proof is strict.

What a chain cannot show is that its end was cut off, or that all of it was computed anew. For the first, pass the
item as it is in the source table; for the second, keep an `Anchor` somewhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from patterns.historic.images import digest
from patterns.historic.version import EXPIRES_AT_S, FIRST_HASH, VERSION_KEY, Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from patterns.historic.history import History
    from patterns.historic.images import Image

Problem: TypeAlias = Literal["altered", "missing", "reordered", "gap", "behind", "unarchived"]
"""``altered``: content or link does not fit the hashes; ``missing``: a number is not there; ``reordered``: not in the
stream's order; ``gap``: a write between two versions was never recorded; ``behind``: the last version is not the item
as it is now; ``unarchived``: the table will let the version go, and the archive does not have it."""


class _Unknown(Enum):
    UNKNOWN = "unknown"


UNKNOWN = _Unknown.UNKNOWN
"""The item's present state was not looked up."""


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


@dataclass(frozen=True, slots=True)
class Proof:
    """Outcome of `verify`.

    Attributes
    ----------
    versions
        How many were read.
    from_birth
        Whether the history starts with the item's insertion; an older item's starts with its first recorded write.
    anchor
        The last version's, to keep; ``None`` for an item without versions.
    findings
        What is wrong, in order; empty if the history is whole.
    """

    versions: int
    from_birth: bool
    anchor: Anchor | None
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    @property
    def gaps(self) -> tuple[Finding, ...]:
        """The findings that say that a version is missing."""
        return tuple(finding for finding in self.findings if finding.problem in ("missing", "gap", "behind"))


def verify(
    history: History,
    key: Mapping[str, Any],
    *,
    anchor: Anchor | None = None,
    current: Image | _Unknown | None = UNKNOWN,
) -> Proof:
    """Check every version of an item.

    Parameters
    ----------
    history
        Where.
    key
        The item's key.
    anchor
        Of an earlier proof, kept elsewhere.
    current
        The item as the source table has it now, ``None`` if it is not there. A change that is still on its way through
        the stream shows as ``behind``; ask again a second later.

    Returns
    -------
    Proof
        Reads the item's whole history, strongly consistent: one read unit per 4 KB, and of the archive a list per
        1,000 versions and an object per version that is no longer in the table.
    """
    chain = _Chain(anchor)
    expiring: list[Version] = []
    for version in history.all_versions(key):
        chain.add(version)
        if EXPIRES_AT_S in version.stored:
            expiring.append(version)
    # Listed last: a version is in the archive before it is in the table.
    archived = history.archived(key)
    if archived is not None:
        chain.check_archived(expiring, archived)
    return chain.close(current)


class _Chain:
    def __init__(self, anchor: Anchor | None) -> None:
        self._anchor = anchor
        self._findings: list[Finding] = []
        self._first: Version | None = None
        self._numbered: Version | None = None
        self._last: Version | None = None
        self._count = 0

    def add(self, version: Version) -> None:
        self._count += 1
        self._first = self._first or version
        self._check_content(version)
        whole = self._check_number(version)
        if whole:
            self._check_link(version)
            self._check_images(version)
        if self._last is not None and version.position <= self._last.position:
            self._find(version, "reordered", f"is not later in the stream than version {self._last.label}")
        if not version.recovered:
            self._numbered = version
        self._last = version

    def check_archived(self, expiring: Iterable[Version], archived: AbstractSet[str]) -> None:
        for version in expiring:
            if version.stored[VERSION_KEY]["S"] not in archived:
                self._find(version, "unarchived", "the table lets it go some day, and the archive does not have it")

    def close(self, current: Image | _Unknown | None) -> Proof:
        number = self._numbered.number if self._numbered else 0
        if self._anchor is not None and self._anchor.number > number:
            text = f"versions {number + 1} to {self._anchor.number} were there when the anchor was taken"
            self._findings.append(Finding(str(self._anchor.number), "missing", text))
        left = self._last.after_kept.digest if self._last else digest(None)
        if current is not UNKNOWN and digest(current) != left:
            label = self._last.label if self._last else "0"
            self._findings.append(Finding(label, "behind", "the item is not what its last version left"))
        return Proof(
            versions=self._count,
            from_birth=self._first is not None and self._first.operation == "INSERT",
            anchor=Anchor(number, self._numbered.stored_hash) if self._numbered else None,
            findings=tuple(self._findings),
        )

    def _find(self, version: Version, problem: Problem, text: str) -> None:
        self._findings.append(Finding(version.label, problem, text))

    def _check_content(self, version: Version) -> None:
        if version.computed_hash != version.stored_hash:
            self._find(version, "altered", "its content does not have its hash")
        if self._anchor and not version.recovered and version.number == self._anchor.number:  # noqa: SIM102
            if version.stored_hash != self._anchor.hash:
                self._find(version, "altered", "its hash is not the anchor's")

    def _check_number(self, version: Version) -> bool:
        last = self._numbered.number if self._numbered else 0
        expected = last if version.recovered else last + 1
        if version.number > expected:
            text = f"version {expected}" if version.number == expected + 1 else f"versions {expected} to"
            suffix = "" if version.number == expected + 1 else f" {version.number - 1}"
            self._find(version, "missing", f"{text}{suffix} before it: not there")
        return version.number == expected

    def _check_link(self, version: Version) -> None:
        expected = self._numbered.stored_hash if self._numbered else FIRST_HASH
        if version.previous != expected:
            self._find(version, "altered", "it was not written after the version that now stands before it")

    def _check_images(self, version: Version) -> None:
        if self._last is None:
            return
        before = version.before_kept
        if before is None:  # it says: what the numbered version before left
            assert self._numbered is not None
            before = self._numbered.after_kept
        if before.digest != self._last.after_kept.digest:
            self._find(version, "gap", f"a write after version {self._last.label} and before it was never recorded")
