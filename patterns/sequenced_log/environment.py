"""The environment variables that the component sets and this library reads, as one typed model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from patterns.environment import read_variables, variable_names, whole_number
from patterns.sequenced_log.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

_PREFIX = "SEQUENCED_LOG_"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEnvironment:
    """A field's name in capitals, after ``SEQUENCED_LOG_``, is the variable's name.

    Attributes
    ----------
    log
        Name of the log.
    events_table, partitions_table, consumers_table
        Physical names of the tables.
    partition_key, sequence_key
        Key attributes of the events table.
    consumer
        Name of the consumer.
    lease_ms, max_attempts, checkpoint_every
        See `Checkpoints` and `Consumer`.
    sweepers
        Into how many invocations a sweep over the partitions is divided, 1..256.
    """

    log: str
    events_table: str
    partitions_table: str
    consumers_table: str
    partition_key: str
    sequence_key: str
    consumer: str
    lease_ms: int
    max_attempts: int
    checkpoint_every: int
    sweepers: int

    @classmethod
    def variables(cls) -> tuple[str, ...]:
        """Return the names of all variables."""
        return variable_names(cls, _PREFIX)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read all variables at once.

        Raises
        ------
        InvalidInputError
            The first variable that is missing or no whole number where it must be one.
        """
        return cls(**read_variables(cls, environ, InvalidInputError, prefix=_PREFIX, readers={"int": whole_number(1)}))
