"""Everything a periodic aggregator raises by itself; each text has the value and the rule it breaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class PeriodicAggregatorError(Exception):
    """Any of the errors below."""


class InvalidSettingError(PeriodicAggregatorError, ValueError):
    """A setting that no periodic aggregator can work with, a bucket width of zero for example."""

    def __init__(self, name: str, value: object, rule: str) -> None:
        super().__init__(f"{name} is {value!r:.80}: {rule}")


class InvalidKeyError(PeriodicAggregatorError, ValueError):
    """A key or record id of the wrong shape."""

    def __init__(self, name: str, value: object, rule: str) -> None:
        super().__init__(f"{name} {value!r:.80}: {rule}")


class InvalidRecordError(PeriodicAggregatorError, ValueError):
    """A record with an impossible time."""

    def __init__(self, name: str, value: object, rule: str) -> None:
        super().__init__(f"{name} {value!r:.80}: {rule}")


class RecordTooLargeError(PeriodicAggregatorError, ValueError):
    """A record that DynamoDB has no room for."""

    def __init__(self, record_id: str, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(
            f"record {record_id!r:.80} is {size_bytes} bytes: an item has at most {limit_bytes}; "
            "store the payload elsewhere and add a reference to it"
        )
        self.size_bytes = size_bytes


class ContendedBucketError(PeriodicAggregatorError):
    """Other writers won every attempt; nothing was written, and it may be tried again."""

    def __init__(self, bucket: str, attempts: int) -> None:
        super().__init__(
            f"bucket {bucket!r:.80}: lost to others {attempts} times; add in batches, use more shards, or try later"
        )
        self.attempts = attempts


class BucketClosingError(PeriodicAggregatorError):
    """The bucket that the record re-opens is being processed at this moment; add the record again later."""

    def __init__(self, key: str, start_ms: int) -> None:
        super().__init__(f"bucket {key!r:.80} of {start_ms}: is being processed; add the late record again later")


class ClaimLostError(PeriodicAggregatorError):
    """Another run took the bucket over while this one processed it; nothing of this one's outcome was written."""

    def __init__(self, key: str, start_ms: int, token: int) -> None:
        super().__init__(f"bucket {key!r:.80} of {start_ms}: claim {token} was taken over, its outcome is not written")


class OutcomeRefusedError(PeriodicAggregatorError):
    """Conditions of the processing's own writes failed; neither they nor the bucket's DONE were written."""

    def __init__(self, key: str, start_ms: int, positions: list[int]) -> None:
        super().__init__(f"bucket {key!r:.80} of {start_ms}: the conditions of the outcome's writes {positions} failed")
        self.positions = positions


class BucketsFailedError(PeriodicAggregatorError):
    """Some buckets could not be processed; all others were. `errors` maps (key, start) to what was raised."""

    def __init__(self, errors: Mapping[tuple[str, int], Exception]) -> None:
        (key, start_ms), error = next(iter(errors.items()))
        super().__init__(f"{len(errors)} buckets failed; the first is {key!r:.80} of {start_ms}: {error!r:.300}")
        self.errors = errors
