"""What the component tells the recorder, as environment variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from patterns.historic.attribution import SignedAttributes
from patterns.historic.errors import ConfigurationError
from patterns.historic.item_key import ItemKeys

if TYPE_CHECKING:
    from collections.abc import Mapping

_SIGNATURE = {
    "HISTORY_ACTOR_ATTRIBUTE": "actor",
    "HISTORY_REASON_ATTRIBUTE": "reason",
    "HISTORY_CHANGE_ID_ATTRIBUTE": "change_id",
    "HISTORY_CHANGED_AT_ATTRIBUTE": "changed_at_ms",
}


@dataclass(frozen=True, slots=True)
class HistoryEnvironment:
    """Where the history is and what it is of.

    Variables: ``HISTORY_TABLE``, ``HISTORY_SOURCE``, ``HISTORY_HASH_KEY``; optional ``HISTORY_RANGE_KEY``,
    ``HISTORY_ACTOR_ATTRIBUTE``, ``HISTORY_REASON_ATTRIBUTE``, ``HISTORY_CHANGE_ID_ATTRIBUTE``,
    ``HISTORY_CHANGED_AT_ATTRIBUTE``.
    """

    table_name: str
    keys: ItemKeys
    signature: SignedAttributes

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> HistoryEnvironment:
        """Read the variables, usually of `os.environ`.

        Raises
        ------
        ConfigurationError
            A required variable is missing or empty.
        """
        for name in ("HISTORY_TABLE", "HISTORY_SOURCE", "HISTORY_HASH_KEY"):
            if not environ.get(name):
                raise ConfigurationError(f"environment variable {name} is missing: the recorder needs it")
        given = {field: environ[name] for name, field in _SIGNATURE.items() if environ.get(name)}
        return cls(
            environ["HISTORY_TABLE"],
            ItemKeys(environ["HISTORY_SOURCE"], environ["HISTORY_HASH_KEY"], environ.get("HISTORY_RANGE_KEY") or None),
            SignedAttributes(**given),
        )
