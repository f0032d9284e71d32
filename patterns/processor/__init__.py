"""Processor: ongoing transactions of named steps that survive crashes, retries, zombies and deadlines."""

from __future__ import annotations

from patterns.processor.errors import (
    ActionsRefusedError,
    InvalidSettingError,
    InvalidTransactionIdError,
    LostLeaseError,
    NotParkedError,
    ProcessorError,
    StateError,
    StateTooLargeError,
    StepRejectedError,
    SubmissionConflictError,
    TransactionNotFoundError,
)
from patterns.processor.lambda_events import WAKE_FILTER, lambda_handler
from patterns.processor.parking import Parked
from patterns.processor.processor import Processor, SweepReport
from patterns.processor.settings import ProcessorSettings
from patterns.processor.state_codec import StateCodec
from patterns.processor.steps import Done, Later, More, Step, StepContext
from patterns.processor.store import Submission, TransactionStore
from patterns.processor.transaction import HistoryEntry, Status, Transaction

__all__ = [
    "WAKE_FILTER",
    "ActionsRefusedError",
    "Done",
    "HistoryEntry",
    "InvalidSettingError",
    "InvalidTransactionIdError",
    "Later",
    "LostLeaseError",
    "More",
    "NotParkedError",
    "Parked",
    "Processor",
    "ProcessorError",
    "ProcessorSettings",
    "StateCodec",
    "StateError",
    "StateTooLargeError",
    "Status",
    "Step",
    "StepContext",
    "StepRejectedError",
    "Submission",
    "SubmissionConflictError",
    "SweepReport",
    "Transaction",
    "TransactionNotFoundError",
    "TransactionStore",
    "lambda_handler",
]
