"""What the component tells the library, through environment variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from patterns.aggregator.adding import DuplicatePolicy, LatePolicy
from patterns.aggregator.aggregator import Aggregator
from patterns.aggregator.completion import parse_completion
from patterns.aggregator.errors import InvalidSettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from enum import StrEnum

    from types_boto3_dynamodb import DynamoDBClient

    from patterns.aggregator.completion import Completion
    from patterns.aggregator.group import Progress

_Policy = TypeVar("_Policy", bound="StrEnum")


@dataclass(frozen=True, slots=True)
class AggregatorSettings:
    """An aggregator's settings; see `Aggregator` for their meaning.

    Variables, each with a prefix (``AGGREGATOR``): ``_TABLE``, ``_COMPLETION`` (see `parse_completion`),
    ``_TIMEOUT_MS``, ``_LATE``, ``_DUPLICATES``, ``_LEASE_MS``, ``_RETENTION_MS``, ``_HASH_KEY``, ``_RANGE_KEY`` and
    ``_INDEX``. Only the first two are required.
    """

    table_name: str
    completion: Completion
    timeout_ms: int | None
    late: LatePolicy
    duplicates: DuplicatePolicy
    lease_ms: int
    retention_ms: int | None
    hash_key: str
    range_key: str
    index_name: str

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

        def text(name: str, default: str | None = None) -> str:
            value = environ.get(f"{prefix}_{name}", default)
            if not value:
                raise InvalidSettingError(f"{prefix}_{name}", value, "must be set")
            return value

        def milliseconds(name: str) -> int | None:
            value = environ.get(f"{prefix}_{name}", "")
            if not value:
                return None
            if not (value.isascii() and value.isdecimal() and len(value) < 15 and int(value)):
                raise InvalidSettingError(f"{prefix}_{name}", value, "must be a positive number of milliseconds")
            return int(value)

        def policy(name: str, kind: type[_Policy], default: _Policy) -> _Policy:
            value = text(name, default)
            if value not in kind.__members__:
                raise InvalidSettingError(f"{prefix}_{name}", value, f"must be one of {', '.join(kind.__members__)}")
            return kind(value)

        return cls(
            table_name=text("TABLE"),
            completion=parse_completion(text("COMPLETION"), predicate),
            timeout_ms=milliseconds("TIMEOUT_MS"),
            late=policy("LATE", LatePolicy, LatePolicy.DROP),
            duplicates=policy("DUPLICATES", DuplicatePolicy, DuplicatePolicy.KEEP_FIRST),
            lease_ms=milliseconds("LEASE_MS") or 60_000,
            retention_ms=milliseconds("RETENTION_MS"),
            hash_key=text("HASH_KEY", "group_id"),
            range_key=text("RANGE_KEY", "entry"),
            index_name=text("INDEX", "pending"),
        )

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
