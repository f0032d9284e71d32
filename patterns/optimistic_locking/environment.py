"""The environment variables that the component sets and the library reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from patterns.optimistic_locking.errors import EnvironmentVariableError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self


@dataclass(frozen=True, slots=True)
class VersionedTableEnvironment:
    """Which table a function works on.

    Attributes
    ----------
    table_name
        ``VERSIONED_TABLE_NAME``
    partition_key
        ``VERSIONED_TABLE_PARTITION_KEY``
    sort_key
        ``VERSIONED_TABLE_SORT_KEY``, absent or empty for a table without.
    """

    table_name: str
    partition_key: str
    sort_key: str | None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the variables.

        Parameters
        ----------
        environ
            Usually `os.environ`.

        Raises
        ------
        EnvironmentVariableError
            One is missing or empty.
        """
        return cls(
            table_name=_required(environ, "VERSIONED_TABLE_NAME"),
            partition_key=_required(environ, "VERSIONED_TABLE_PARTITION_KEY"),
            sort_key=environ.get("VERSIONED_TABLE_SORT_KEY") or None,
        )


def _required(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise EnvironmentVariableError(f"environment variable {name}", value, "must be set")
    return value
