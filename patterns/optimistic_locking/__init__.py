"""Optimistic locking: versioned items that nobody overwrites unseen, and leases whose token fences off the late."""

from __future__ import annotations

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
    "etag",
    "not_modified",
    "read_if_match",
    "write_if_match",
]
