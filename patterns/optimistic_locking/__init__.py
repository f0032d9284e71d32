"""Optimistic locking: versioned items that nobody overwrites unseen, and leases whose token fences off the late.

A name is loaded when it is first used: who only updates items starts without leases and HTTP.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from patterns.optimistic_locking.adjustment import Adjustment
    from patterns.optimistic_locking.backoff import Backoff
    from patterns.optimistic_locking.conditional_requests import (
        IfMatch,
        Refused,
        Written,
        etag,
        not_modified,
        read_if_match,
        write_if_match,
    )
    from patterns.optimistic_locking.environment import VersionedTableEnvironment
    from patterns.optimistic_locking.errors import (
        AdjustmentRefusedError,
        ConflictError,
        EnvironmentVariableError,
        InvalidAdjustmentError,
        InvalidBackoffError,
        InvalidItemError,
        InvalidKeyError,
        InvalidLeaseError,
        InvalidVersionError,
        LeaseHeldError,
        LeaseLostError,
        MissingItemError,
        OptimisticLockingError,
        OutcomeUnknownError,
        TransactionConflictError,
    )
    from patterns.optimistic_locking.lease import Lease, LeaseTable
    from patterns.optimistic_locking.metrics import conflict_metric
    from patterns.optimistic_locking.table import VersionedTable
    from patterns.optimistic_locking.versioned import Versioned

__all__ = [
    "Adjustment",
    "AdjustmentRefusedError",
    "Backoff",
    "ConflictError",
    "EnvironmentVariableError",
    "IfMatch",
    "InvalidAdjustmentError",
    "InvalidBackoffError",
    "InvalidItemError",
    "InvalidKeyError",
    "InvalidLeaseError",
    "InvalidVersionError",
    "Lease",
    "LeaseHeldError",
    "LeaseLostError",
    "LeaseTable",
    "MissingItemError",
    "OptimisticLockingError",
    "OutcomeUnknownError",
    "Refused",
    "TransactionConflictError",
    "Versioned",
    "VersionedTable",
    "VersionedTableEnvironment",
    "Written",
    "conflict_metric",
    "etag",
    "not_modified",
    "read_if_match",
    "write_if_match",
]

_MODULE_OF = {
    "Adjustment": "adjustment",
    "Backoff": "backoff",
    "IfMatch": "conditional_requests",
    "Refused": "conditional_requests",
    "Written": "conditional_requests",
    "etag": "conditional_requests",
    "not_modified": "conditional_requests",
    "read_if_match": "conditional_requests",
    "write_if_match": "conditional_requests",
    "VersionedTableEnvironment": "environment",
    "AdjustmentRefusedError": "errors",
    "ConflictError": "errors",
    "EnvironmentVariableError": "errors",
    "InvalidAdjustmentError": "errors",
    "InvalidBackoffError": "errors",
    "InvalidItemError": "errors",
    "InvalidKeyError": "errors",
    "InvalidLeaseError": "errors",
    "InvalidVersionError": "errors",
    "LeaseHeldError": "errors",
    "LeaseLostError": "errors",
    "MissingItemError": "errors",
    "OptimisticLockingError": "errors",
    "OutcomeUnknownError": "errors",
    "TransactionConflictError": "errors",
    "Lease": "lease",
    "LeaseTable": "lease",
    "conflict_metric": "metrics",
    "VersionedTable": "table",
    "Versioned": "versioned",
}


def __getattr__(name: str) -> object:
    try:
        module = _MODULE_OF[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(import_module(f"patterns.optimistic_locking.{module}"), name)
