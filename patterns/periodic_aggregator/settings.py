"""What the component tells the library, through environment variables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from patterns.environment import one_of, read_variables
from patterns.periodic_aggregator.bucket_table import LatePolicy
from patterns.periodic_aggregator.errors import InvalidSettingError
from patterns.periodic_aggregator.periodic import PeriodicAggregator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from types_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True)
class PeriodicAggregatorSettings:
    """A periodic aggregator's settings; see `PeriodicAggregator` for their meaning.

    Variables, each with a prefix (``PERIODIC_AGGREGATOR``): ``_TABLE``, ``_WIDTH_MS``, ``_GRACE_MS``, ``_LATE``,
    ``_SHARDS``, ``_LEASE_MS``, ``_RETENTION_MS`` and ``_INDEX``. Only the first two are required.
    """

    table_name: str = field(metadata={"variable": "TABLE"})
    width_ms: int
    grace_ms: int = 0
    late: LatePolicy = LatePolicy.NEXT_BUCKET
    shards: int = 1
    lease_ms: int = 60_000
    retention_ms: int | None = None
    index_name: str = field(default="pending", metadata={"variable": "INDEX"})

    @classmethod
    def from_environ(
        cls, environ: Mapping[str, str], prefix: str = "PERIODIC_AGGREGATOR"
    ) -> PeriodicAggregatorSettings:
        """Read the settings.

        Parameters
        ----------
        environ
            ``os.environ``.
        prefix
            Of the variables, for a function that uses several aggregators.

        Raises
        ------
        InvalidSettingError
            A variable is missing, not a number or not a policy.
        """

        readers = {"LatePolicy": one_of(LatePolicy)}
        return cls(**read_variables(cls, environ, InvalidSettingError, prefix=f"{prefix}_", readers=readers))

    def aggregator(
        self,
        client: DynamoDBClient,
        *,
        clock: Callable[[], int],
        sleep: Callable[[float], None],
        random: Callable[[], float],
        metric: Callable[[str, int], None] | None = None,
    ) -> PeriodicAggregator:
        """Make the periodic aggregator these settings describe."""
        settings: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        if metric is not None:
            settings["metric"] = metric
        return PeriodicAggregator(client=client, clock=clock, sleep=sleep, random=random, **settings)
