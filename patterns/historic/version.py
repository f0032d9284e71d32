"""One version of an item, and how it is stored: self-contained, chained by hash to the one before.

Stored attributes: ``collection`` and ``version_key`` (the table's keys), ``source``, ``operation``, ``at_ms``,
``position``, ``previous`` and ``hash``; ``actor`` and ``reason`` if the write was signed; ``after`` unless it is a
tombstone; ``key`` if it is; ``before`` only where it is not simply the ``after`` of the version before. That halves
what a history stores. In a table with an archive also ``expires_at_s``: when the row may go, which is no part of the
version.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, cast

from patterns.historic.errors import BeforeNotReadError, ImageOmittedError
from patterns.historic.images import Image, canonical, digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from patterns.historic.attribution import Operation

COLLECTION, VERSION_KEY, ACTOR, AT_MS = "collection", "version_key", "actor", "at_ms"
"""Key attributes of the history table, and of its index of actors."""

EXPIRES_AT_S = "expires_at_s"
"""Epoch second after which the table may let a version go, the table's time-to-live attribute."""

ACTOR_INDEX = "by-actor"
"""Name of the index: hash key ``actor``, range key ``at_ms`` (a number), keys only."""

FIRST_HASH = b""
"""What the first version has in the place of its predecessor's hash."""

HIGHEST_NUMBER = 10**12 - 1


@dataclass(frozen=True, slots=True)
class Kept:
    """What a version holds of one image: all of it, or only its digest because it was too large."""

    image: Image | None
    omitted_digest: bytes = b""

    @property
    def digest(self) -> bytes:
        """32 bytes that tell images apart; none where the item does not exist."""
        return self.omitted_digest or digest(self.image)

    def read(self, what: str) -> Image | None:
        """Return the image.

        Raises
        ------
        ImageOmittedError
            It was too large to keep.
        """
        if self.omitted_digest:
            raise ImageOmittedError(f"{what} was above the limit of an image and only its digest was kept")
        return self.image


@dataclass(frozen=True, slots=True)
class Version:
    """A write to an item, as recorded.

    Attributes
    ----------
    collection, item
        Where the item's versions are; see `ItemKeys`.
    number
        1, 2, 3 … for an item.
    recovered
        Empty, or the stream position of a version that reached the history after later ones, for example after a
        re-drive. It stands between `number` and `number` + 1.
    source
        Name of the table.
    key
        The item's key.
    operation
        ``INSERT``, ``MODIFY`` or ``REMOVE``, a tombstone.
    at_ms
        When, epoch ms; never earlier than the version before.
    actor, reason
        Who and why; ``None`` if the write was unsigned.
    before_kept, after_kept
        The images as stored; `before_kept` is ``None`` where the version before says it.
    position
        Place in the table's stream: the stream's label and the record's sequence number.
    previous
        Hash of the version numbered one less (of version `number`, if recovered).
    stored_hash
        The version's own hash as stored.
    stored
        The whole stored item.
    """

    collection: str
    item: str
    number: int
    recovered: str
    source: str
    key: Image
    operation: Operation
    at_ms: int
    actor: str | None
    reason: str | None
    before_kept: Kept | None
    after_kept: Kept
    position: str
    previous: bytes
    stored_hash: bytes
    stored: Image

    @property
    def label(self) -> str:
        """``7``, or ``7+`` and a position for a version recovered later."""
        return f"{self.number}+{self.recovered}" if self.recovered else str(self.number)

    @property
    def after(self) -> Image | None:
        """The item after the write, in DynamoDB's form; ``None`` after a deletion.

        Raises
        ------
        ImageOmittedError
            It was too large to keep.
        """
        return self.after_kept.read(f"the image of version {self.label}")

    @property
    def before(self) -> Image | None:
        """The item before the write; ``None`` before an insertion.

        Raises
        ------
        ImageOmittedError
            It was too large to keep.
        BeforeNotReadError
            It is what the version before left, and that one was not read: ask `History.version`.
        """
        if self.before_kept is None:
            raise BeforeNotReadError(f"the image before version {self.label} was not read with it")
        return self.before_kept.read(f"the image before version {self.label}")

    @property
    def exists(self) -> bool:
        """Whether the item existed after the write."""
        return self.operation != "REMOVE"

    @property
    def computed_hash(self) -> bytes:
        """The hash that the stored content has now."""
        return hash_of(self.stored)


def version_key(item: str, number: int, recovered: str = "") -> str:
    """Return the range key of a version."""
    return f"{item}#{number:012d}+{recovered}" if recovered else f"{item}#{number:012d}"


def place_of(key: str) -> tuple[str, int, str]:
    """Return what a version's range key consists of: item, number, and the position if it was recovered."""
    item, _, place = key.partition("#")
    number, _, recovered = place.partition("+")
    return item, int(number), recovered


def stream_position(stream_arn: str, sequence_number: str) -> str:
    """Return a text that orders the changes of an item.

    Sequence numbers order the changes within a stream. A stream that was switched off and on again is a new one, whose
    ARN ends in the time of its creation: with that in front, its changes come after those of the old one.
    """
    label = stream_arn.rpartition("/stream/")[2]
    return f"{label}/{sequence_number:0>40}"


def kept_attribute(image: Image | None, *, omit: bool) -> dict[str, Any]:
    """Return an image as one stored attribute: the item, or its digest."""
    if image is None:
        return {"NULL": True}
    return {"B": digest(image)} if omit else {"M": image}


def hash_of(stored: Mapping[str, Any]) -> bytes:
    """Return the SHA-256 over a version's whole content, its predecessor's hash and its own keys included."""
    content = {name: attribute for name, attribute in stored.items() if name not in ("hash", EXPIRES_AT_S)}
    return sha256(canonical(content).encode()).digest()


def read_version(stored: Mapping[str, Any]) -> Version:
    """Return a stored version."""
    item, number, recovered = place_of(stored[VERSION_KEY]["S"])
    after = _kept(stored["after"]) if "after" in stored else Kept(None)
    return Version(
        collection=stored[COLLECTION]["S"],
        item=item,
        number=number,
        recovered=recovered,
        source=stored["source"]["S"],
        key=stored["key"]["M"],
        operation=cast("Operation", stored["operation"]["S"]),
        at_ms=int(stored[AT_MS]["N"]),
        actor=stored[ACTOR]["S"] if ACTOR in stored else None,
        reason=stored["reason"]["S"] if "reason" in stored else None,
        before_kept=_kept(stored["before"]) if "before" in stored else None,
        after_kept=after,
        position=stored["position"]["S"],
        previous=bytes(stored["previous"]["B"]) if "previous" in stored else FIRST_HASH,
        stored_hash=bytes(stored["hash"]["B"]),
        stored=dict(stored),
    )


def _kept(attribute: Mapping[str, Any]) -> Kept:
    if "B" in attribute:
        return Kept(None, bytes(attribute["B"]))
    return Kept(attribute.get("M"))
