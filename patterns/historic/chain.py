"""The chain of an item's versions, checked link by link; what the next link needs of all before it is a few values.

Three independent threads run through the versions. The *numbers* have no hole, so a deleted version shows. Each
version holds the *hash* of the one before, so an altered, exchanged or reordered one shows. And each one's image
*before* is the image the last one left, so a write that never reached the history shows. If every write changes some
attribute to a value the item never had (a change id, a version), two images of an item are never alike and the third
proof is strict.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from patterns.historic.findings import Anchor, Finding
from patterns.historic.images import digest
from patterns.historic.version import FIRST_HASH

if TYPE_CHECKING:
    from collections.abc import Iterable

    from patterns.historic.findings import Problem
    from patterns.historic.version import Version

_NOTHING_LEFT = digest(None)


@dataclass(frozen=True, slots=True)
class Link:
    """What later versions are held against of one version: its place, its hash, and the digest of what it left."""

    number: int
    recovered: str
    position: str
    hash: bytes
    left: bytes

    @property
    def label(self) -> str:
        """As `Version.label`."""
        return f"{self.number}+{self.recovered}" if self.recovered else str(self.number)


@dataclass(frozen=True, slots=True)
class ChainState:
    """All that is to be known of the versions up to a place.

    Attributes
    ----------
    versions
        How many there are.
    from_birth
        Whether the first one is the item's insertion.
    numbered, last
        The last one with a number of its own, and the last one; ``None`` before the first.
    """

    versions: int = 0
    from_birth: bool = False
    numbered: Link | None = None
    last: Link | None = None

    @property
    def left(self) -> bytes:
        """Digest of the item as the last version left it."""
        return self.last.left if self.last else _NOTHING_LEFT

    def as_json(self) -> list[object]:
        """Return it as a JSON value."""
        return [self.versions, self.from_birth, _link_json(self.numbered), _link_json(self.last)]

    @staticmethod
    def from_json(value: Any) -> ChainState:
        """Return what `as_json` made a value of; raises ValueError or TypeError for any other."""
        versions, from_birth, numbered, last = value
        return ChainState(int(versions), bool(from_birth), _link(numbered), _link(last))


class Chain:
    """Goes on with a chain.

    Parameters
    ----------
    state
        Where it is.
    anchor
        Noted outside the history.
    """

    def __init__(self, state: ChainState, anchor: Anchor | None) -> None:
        self.state = state
        self.findings: list[Finding] = []
        self._anchor = anchor

    def add(self, version: Version, *, is_unarchived: bool) -> None:
        """Check the next version."""
        state = self.state
        self._check_content(version)
        if self._check_number(version):
            self._check_link(version)
            self._check_images(version)
        if state.last is not None and version.position <= state.last.position:
            self._find(version.label, "reordered", f"is not later in the stream than version {state.last.label}")
        if is_unarchived:
            self._find(version.label, "unarchived", "the table lets it go some day, and the archive does not have it")
        link = Link(version.number, version.recovered, version.position, version.stored_hash, version.after_kept.digest)
        self.state = ChainState(
            state.versions + 1,
            version.operation == "INSERT" if state.last is None else state.from_birth,
            state.numbered if version.recovered else link,
            link,
        )

    def check_anchor(self) -> None:
        """Check at the end that the chain is not shorter than when the anchor was taken."""
        number = self.state.numbered.number if self.state.numbered else 0
        if self._anchor is not None and self._anchor.number > number:
            text = f"versions {number + 1} to {self._anchor.number} were there when the anchor was taken"
            self._find(str(self._anchor.number), "missing", text)

    def check_end(self, current: bytes, left: Iterable[bytes]) -> None:
        """Check at the end that a version left the item as it is: the digests of both."""
        if current not in left:
            label = self.state.last.label if self.state.last else "0"
            self._find(label, "behind", "the item is not what its last version left")

    def _find(self, label: str, problem: Problem, text: str) -> None:
        self.findings.append(Finding(label, problem, text))

    def _check_content(self, version: Version) -> None:
        if version.computed_hash != version.stored_hash:
            self._find(version.label, "altered", "its content does not have its hash")
        if self._anchor and not version.recovered and version.number == self._anchor.number:  # noqa: SIM102
            if version.stored_hash != self._anchor.hash:
                self._find(version.label, "altered", "its hash is not the anchor's")

    def _check_number(self, version: Version) -> bool:
        last = self.state.numbered.number if self.state.numbered else 0
        expected = last if version.recovered else last + 1
        if version.number > expected:
            text = f"version {expected}" if version.number == expected + 1 else f"versions {expected} to"
            suffix = "" if version.number == expected + 1 else f" {version.number - 1}"
            self._find(version.label, "missing", f"{text}{suffix} before it: not there")
        return version.number == expected

    def _check_link(self, version: Version) -> None:
        expected = self.state.numbered.hash if self.state.numbered else FIRST_HASH
        if version.previous != expected:
            self._find(version.label, "altered", "it was not written after the version that now stands before it")

    def _check_images(self, version: Version) -> None:
        last, numbered = self.state.last, self.state.numbered
        if last is None:
            return
        if version.before_kept is not None:
            before = version.before_kept.digest
        else:  # it says: what the numbered version before left
            before = numbered.left if numbered else _NOTHING_LEFT
        if before != last.left:
            text = f"a write after version {last.label} and before it was never recorded"
            self._find(version.label, "gap", text)


def _link_json(link: Link | None) -> list[object] | None:
    if link is None:
        return None
    return [link.number, link.recovered, link.position, *(b64encode(part).decode() for part in (link.hash, link.left))]


def _link(value: Any) -> Link | None:
    if value is None:
        return None
    number, recovered, position, hashed, left = value
    return Link(int(number), str(recovered), str(position), b64decode(hashed), b64decode(left))
