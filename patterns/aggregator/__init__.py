"""Aggregator: collect records under a group key, learn once that the group is complete, act on it exactly once."""

from __future__ import annotations

from patterns.aggregator.adding import Added
from patterns.aggregator.aggregator import Aggregator
from patterns.aggregator.completion import ByCount, ByKinds, ByPredicate, ByTimeout, Completion, parse_completion
from patterns.aggregator.errors import (
    AggregatorError,
    ClaimLostError,
    ContendedGroupError,
    DifferentRecordError,
    GroupBusyError,
    InvalidCompletionError,
    InvalidKeyError,
    InvalidRecordError,
    InvalidSettingError,
    OutcomeRefusedError,
    RecordTooLargeError,
)
from patterns.aggregator.firing import CompleteGroup, Fired, Outcome, complete_groups
from patterns.aggregator.group import Entry, GroupState, NewRecord, Progress
from patterns.aggregator.group_table import DuplicatePolicy, LatePolicy
from patterns.aggregator.open_groups import UnfinishedGroup
from patterns.aggregator.settings import AggregatorSettings

__all__ = [
    "Added",
    "Aggregator",
    "AggregatorError",
    "AggregatorSettings",
    "ByCount",
    "ByKinds",
    "ByPredicate",
    "ByTimeout",
    "ClaimLostError",
    "CompleteGroup",
    "Completion",
    "ContendedGroupError",
    "DifferentRecordError",
    "DuplicatePolicy",
    "Entry",
    "Fired",
    "GroupBusyError",
    "GroupState",
    "InvalidCompletionError",
    "InvalidKeyError",
    "InvalidRecordError",
    "InvalidSettingError",
    "LatePolicy",
    "NewRecord",
    "Outcome",
    "OutcomeRefusedError",
    "Progress",
    "RecordTooLargeError",
    "UnfinishedGroup",
    "complete_groups",
    "parse_completion",
]
