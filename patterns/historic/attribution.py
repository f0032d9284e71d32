"""Who changed an item, and why: read from what the writer left in the item, never guessed.

A signature travels with the write, as attributes of the item itself. It must belong to *this* write: a writer that
forgets to sign leaves the attributes of the one before it in place, and its change must not be put down to that one.
So a signature carries an id that no two writes share, and a change whose id is that of the image before is unsigned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from patterns.historic.images import Image

Operation: TypeAlias = Literal["INSERT", "MODIFY", "REMOVE"]

TIME_TO_LIVE = "dynamodb:time-to-live"
"""The actor of a deletion that DynamoDB made because the item's time to live had passed."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Who and why, where the writer said so.

    Parameters
    ----------
    actor
        Who wrote; ``None`` if unsigned, and then the version is not in the index of actors.
    reason
        Why.
    at_ms
        When, epoch ms; ``None``, or a time more than a minute away from the stream's, takes the stream's, which AWS
        rounds to the second.
    """

    actor: str | None = None
    reason: str | None = None
    at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One write to an item: what happened, and the item before and after it."""

    operation: Operation
    before: Image | None
    after: Image | None
    expired: bool = False


class Attribution(Protocol):
    """Finds the signature of a change; a function of your own will do where the item's attributes already say who."""

    def __call__(self, change: Change, /) -> Signature:
        """Return who made the change. Must not raise, and must depend on nothing but the change."""
        ...


@dataclass(frozen=True, slots=True)
class SignedAttributes:
    """The usual attribution: three attributes that every writer sets, and one for the time.

    Parameters
    ----------
    actor, reason
        Names of the attributes with who and why.
    change_id
        Name of the attribute with an id that is new for every write, such as a request id.
    changed_at_ms
        Name of a number attribute with the time in epoch ms.
    """

    actor: str = "changed_by"
    reason: str = "change_reason"
    change_id: str = "change_id"
    changed_at_ms: str = "changed_at_ms"

    def sign(self, actor: str, reason: str, change_id: str, at_ms: int) -> Image:
        """Return the attributes to write with a change, in DynamoDB's form."""
        return {
            self.actor: {"S": actor},
            self.reason: {"S": reason},
            self.change_id: {"S": change_id},
            self.changed_at_ms: {"N": str(at_ms)},
        }

    def __call__(self, change: Change) -> Signature:
        """Read the signature from the image after the change; of a deletion, see `sign_and_delete`."""
        if change.operation == "REMOVE":
            return self._of_removal(change)
        image, before = change.after or {}, change.before or {}
        signed_by_this_write = self.change_id in image and image[self.change_id] != before.get(self.change_id)
        return self._read(image) if signed_by_this_write else Signature()

    def _of_removal(self, change: Change) -> Signature:
        if change.expired:
            return Signature(TIME_TO_LIVE, "time to live")
        image = change.before or {}
        announced = _text(image, self.deletion_mark)
        return self._read(image) if announced and announced == _text(image, self.change_id) else Signature()

    @property
    def deletion_mark(self) -> str:
        """Attribute that announces a deletion: it holds the change id of the deletion."""
        return f"{self.change_id}_of_deletion"

    def _read(self, image: Mapping[str, Any]) -> Signature:
        at = image.get(self.changed_at_ms, {}).get("N", "")
        return Signature(_text(image, self.actor), _text(image, self.reason), int(at) if at.isdigit() else None)


def _text(image: Mapping[str, Any], name: str) -> str | None:
    return image.get(name, {}).get("S") or None
