"""The environment variables that the component sets and the library reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from patterns.environment import read_variables
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

    table_name: str = field(metadata={"variable": "NAME"})
    partition_key: str
    sort_key: str | None = None

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
        return cls(**read_variables(cls, environ, _invalid, prefix="VERSIONED_TABLE_"))


def _invalid(name: str, text: str, rule: str) -> EnvironmentVariableError:
    return EnvironmentVariableError(f"environment variable {name}", text, rule)
