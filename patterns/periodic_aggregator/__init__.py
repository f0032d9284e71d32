"""Periodic aggregator: collect records into time buckets per key; a schedule closes and processes each bucket once."""

from __future__ import annotations

from patterns.periodic_aggregator.adding import Collected, Placed
from patterns.periodic_aggregator.bucket import BucketState, NewRecord, Stored
from patterns.periodic_aggregator.bucket_table import LatePolicy, OpenBucket
from patterns.periodic_aggregator.closing import ClosedBucket, ClosingReport, Outcome
from patterns.periodic_aggregator.errors import (
    BucketClosingError,
    BucketsFailedError,
    ClaimLostError,
    ContendedBucketError,
    InvalidKeyError,
    InvalidRecordError,
    InvalidSettingError,
    OutcomeRefusedError,
    PeriodicAggregatorError,
    RecordTooLargeError,
)
from patterns.periodic_aggregator.metrics import emf_metric
from patterns.periodic_aggregator.periodic import PeriodicAggregator
from patterns.periodic_aggregator.settings import PeriodicAggregatorSettings

__all__ = [
    "BucketClosingError",
    "BucketState",
    "BucketsFailedError",
    "ClaimLostError",
    "ClosedBucket",
    "ClosingReport",
    "Collected",
    "ContendedBucketError",
    "InvalidKeyError",
    "InvalidRecordError",
    "InvalidSettingError",
    "LatePolicy",
    "NewRecord",
    "OpenBucket",
    "Outcome",
    "OutcomeRefusedError",
    "PeriodicAggregator",
    "PeriodicAggregatorError",
    "PeriodicAggregatorSettings",
    "Placed",
    "RecordTooLargeError",
    "Stored",
    "emf_metric",
]
