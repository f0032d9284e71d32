"""What the component tells the library, through environment variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from patterns.periodic_aggregator.adding import LatePolicy
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

    table_name: str
    width_ms: int
    grace_ms: int
    late: LatePolicy
    shards: int
    lease_ms: int
    retention_ms: int | None
    index_name: str

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

        def text(name: str, default: str = "") -> str:
            value = environ.get(f"{prefix}_{name}") or default
            if not value:
                raise InvalidSettingError(f"{prefix}_{name}", value, "must be set")
            return value

        def integer(name: str, default: str = "") -> int:
            value = text(name, default)
            if not (value.isascii() and value.isdecimal() and len(value) < 15):
                raise InvalidSettingError(f"{prefix}_{name}", value, "must be a non-negative integer")
            return int(value)

        late = text("LATE", LatePolicy.NEXT_BUCKET)
        if late not in LatePolicy.__members__:
            members = ", ".join(LatePolicy.__members__)
            raise InvalidSettingError(f"{prefix}_LATE", late, f"must be one of {members}")
        return cls(
            table_name=text("TABLE"),
            width_ms=integer("WIDTH_MS"),
            grace_ms=integer("GRACE_MS", "0"),
            late=LatePolicy(late),
            shards=integer("SHARDS", "1"),
            lease_ms=integer("LEASE_MS", "60000"),
            retention_ms=integer("RETENTION_MS") if environ.get(f"{prefix}_RETENTION_MS") else None,
            index_name=text("INDEX", "pending"),
        )

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
