"""What the component tells the library, through environment variables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from patterns.aggregator.aggregator import Aggregator
from patterns.aggregator.completion import parse_completion
from patterns.aggregator.errors import InvalidSettingError
from patterns.aggregator.group_table import DuplicatePolicy, LatePolicy
from patterns.environment import one_of, read_variables, whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from types_boto3_dynamodb import DynamoDBClient

    from patterns.aggregator.completion import Completion
    from patterns.aggregator.group import Progress
    from patterns.environment import Reader


@dataclass(frozen=True, slots=True)
class AggregatorSettings:
    """An aggregator's settings; see `Aggregator` for their meaning.

    Variables, each with a prefix (``AGGREGATOR``): ``_TABLE``, ``_COMPLETION`` (see `parse_completion`),
    ``_TIMEOUT_MS``, ``_LATE``, ``_DUPLICATES``, ``_LEASE_MS``, ``_RETENTION_MS``, ``_HASH_KEY``, ``_RANGE_KEY`` and
    ``_INDEX``. Only the first two are required.
    """

    table_name: str = field(metadata={"variable": "TABLE"})
    completion: Completion
    timeout_ms: int | None = None
    late: LatePolicy = LatePolicy.DROP
    duplicates: DuplicatePolicy = DuplicatePolicy.KEEP_FIRST
    lease_ms: int = 60_000
    retention_ms: int | None = None
    hash_key: str = "group_id"
    range_key: str = "entry"
    index_name: str = field(default="pending", metadata={"variable": "INDEX"})

    @classmethod
    def from_environ(
        cls,
        environ: Mapping[str, str],
        predicate: Callable[[Progress], bool] | None = None,
        prefix: str = "AGGREGATOR",
    ) -> AggregatorSettings:
        """Read the settings.

        Parameters
        ----------
        environ
            ``os.environ``.
        predicate
            The completion rule, if the component was given ``complete_by_predicate``.
        prefix
            Of the variables, for a function that uses several aggregators.

        Raises
        ------
        InvalidSettingError
            A variable is missing, not a positive number or not a policy.
        InvalidCompletionError
            See `parse_completion`.
        """

        readers: dict[str, Reader] = {
            "Completion": lambda text: parse_completion(text, predicate),
            "LatePolicy": one_of(LatePolicy),
            "DuplicatePolicy": one_of(DuplicatePolicy),
            **dict.fromkeys(("int", "int | None"), whole_number(1)),
        }
        return cls(**read_variables(cls, environ, InvalidSettingError, prefix=f"{prefix}_", readers=readers))

    def aggregator(
        self,
        client: DynamoDBClient,
        *,
        clock: Callable[[], int],
        sleep: Callable[[float], None],
        random: Callable[[], float],
    ) -> Aggregator:
        """Make the aggregator these settings describe."""
        settings: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        return Aggregator(client=client, clock=clock, sleep=sleep, random=random, **settings)
