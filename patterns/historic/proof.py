"""Proves that an item's history is whole, or says what is wrong with it and where: in one go, or a page at a time.

What a chain cannot show is that its end was cut off, or that all of it was computed anew. For the first, pass the
item as it is in the source table; for the second, keep an `Anchor` somewhere else.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from patterns.dynamodb.page_token import InvalidPageTokenError, decode_page_token, encode_page_token
from patterns.historic.bounds import check_limit
from patterns.historic.chain import Chain, ChainState
from patterns.historic.findings import Anchor
from patterns.historic.images import digest
from patterns.historic.stretch import start_of
from patterns.historic.version import EXPIRES_AT_S, place_of, version_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from patterns.historic.findings import Finding
    from patterns.historic.history import History
    from patterns.historic.images import Image

PAGE_VERSIONS = 250
"""Versions of a page: 250 images of 400 KB fit into a function's memory, and 250 objects of S3 take about a second."""


class _Unknown(Enum):
    UNKNOWN = "unknown"


UNKNOWN = _Unknown.UNKNOWN
"""The item's present state was not looked up."""


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


@dataclass(frozen=True, slots=True)
class ProofPage:
    """Outcome of `verify_page`.

    Attributes
    ----------
    so_far
        Number of versions, birth and anchor of all versions up to here, but the findings of this page only.
    is_last
        Whether the page reached the history's end.
    token
        Goes on behind this page; behind the last one with what is written later.
    """

    so_far: Proof
    is_last: bool
    token: str


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
        Reads the item's whole history, strongly consistent: one read unit per 4 KB, and of the archive two lists per
        250 versions and an object per version that is no longer in the table.
    """
    findings: list[Finding] = []
    token: str | None = None
    while True:
        page = verify_page(history, key, token=token, anchor=anchor, current=current)
        findings += page.so_far.findings
        if page.is_last:
            return Proof(page.so_far.versions, page.so_far.from_birth, page.so_far.anchor, tuple(findings))
        token = page.token


def verify_page(
    history: History,
    key: Mapping[str, Any],
    *,
    token: str | None = None,
    anchor: Anchor | None = None,
    current: Image | _Unknown | None = UNKNOWN,
    limit: int = PAGE_VERSIONS,
) -> ProofPage:
    """Check the next versions of an item; all pages together find what `verify` finds, wherever they are cut.

    Parameters
    ----------
    history
        Where.
    key
        The item's key.
    token
        `ProofPage.token` of the page before.
    anchor
        Of an earlier proof, kept elsewhere; on all pages the same.
    current
        The item as the source table has it now; looked at on the last page only, where the last version must have left
        it. If the page before was the last one already, and the item was read after it, any version since may have: an
        item that never stands still is not said to be behind because of a write that came after it was read.
    limit
        Most versions of the page, 1..1000.

    Returns
    -------
    ProofPage
        Reads at most `limit` versions, 1 MB of the table, and the objects of those no longer there.

    Raises
    ------
    patterns.dynamodb.page_token.InvalidPageTokenError
        The token was altered or is of another item, history or anchor.
    InvalidVersionError
        The limit is out of range.
    """
    check_limit(limit)
    collection, item = history.keys.collection(key), history.keys.item(key)
    noted = ("", "") if anchor is None else (str(anchor.number), anchor.hash.hex())
    scope = ("historic.verify", history.table_name, collection, item, *noted)
    after, was_last, state = (start_of(item), False, ChainState()) if token is None else _read(token, item, scope)
    stretch = history.stretch(key, after, limit)
    chain = Chain(state, anchor)
    left = [state.left] if was_last else []
    for version, is_archived in stretch.versions:
        chain.add(version, is_unarchived=is_archived is False and EXPIRES_AT_S in version.stored)
        if was_last:
            left.append(chain.state.left)
    if stretch.is_last:
        if not was_last:
            chain.check_anchor()
        if current is not UNKNOWN:
            chain.check_end(digest(current), left or [chain.state.left])
    numbered = chain.state.numbered
    proof = Proof(
        versions=chain.state.versions,
        from_birth=chain.state.from_birth,
        anchor=Anchor(numbered.number, numbered.hash) if numbered else None,
        findings=tuple(chain.findings),
    )
    position = json.dumps([*place_of(stretch.after)[1:], stretch.is_last, chain.state.as_json()], separators=(",", ":"))
    return ProofPage(proof, stretch.is_last, encode_page_token(position, scope))


def _read(token: str, item: str, scope: Sequence[str]) -> tuple[str, bool, ChainState]:
    try:
        number, recovered, was_last, state = json.loads(decode_page_token(token, scope))
        return version_key(item, int(number), str(recovered)), bool(was_last), ChainState.from_json(state)
    except (TypeError, ValueError) as error:
        if isinstance(error, InvalidPageTokenError):
            raise
        raise InvalidPageTokenError("made by nobody") from error
