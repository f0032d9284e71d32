"""What can be wrong with a call; every text says the value and the rule."""

from __future__ import annotations


class ProcessorError(Exception):
    """Base of everything the library raises by itself."""


class InvalidTransactionIdError(ProcessorError, ValueError):
    """The id is no text of 1 to 256 UTF-8 bytes."""

    def __init__(self, transaction_id: object) -> None:
        super().__init__(f"transaction id {transaction_id!r:.80}: must be text of 1 to 256 bytes in UTF-8")


class InvalidSettingError(ProcessorError, ValueError):
    """A setting, a step's name or a duration lies outside its range."""

    def __init__(self, name: str, value: object, rule: str) -> None:
        super().__init__(f"{name} = {value!r:.80}: {rule}")


class StateError(ProcessorError, TypeError):
    """A state, given or stored, is not of the declared type; the text names the path to the offending value."""


class StateTooLargeError(ProcessorError, ValueError):
    """The state would not leave room for the rest of the item within DynamoDB's 400 KB."""

    def __init__(self, size: int, largest: int) -> None:
        super().__init__(
            f"state of {size} bytes: must be at most {largest} bytes; keep large data elsewhere, and its key here"
        )


class SubmissionConflictError(ProcessorError):
    """The id was submitted before, with another initial state; the stored transaction is unchanged."""

    def __init__(self, transaction_id: str) -> None:
        super().__init__(
            f"transaction {transaction_id!r} exists with another initial state: an id stands for one request; "
            "use a new id for a new request"
        )
        self.transaction_id = transaction_id


class TransactionNotFoundError(ProcessorError, LookupError):
    """No transaction has this id."""

    def __init__(self, transaction_id: str) -> None:
        super().__init__(f"transaction {transaction_id!r} does not exist: submit it first")
        self.transaction_id = transaction_id


class NotParkedError(ProcessorError):
    """Only parked transactions can be re-driven or abandoned."""

    def __init__(self, transaction_id: str, status: str) -> None:
        super().__init__(f"transaction {transaction_id!r} is {status}: must be PARKED to be re-driven or abandoned")
        self.transaction_id = transaction_id
        self.status = status


class LostLeaseError(ProcessorError):
    """Somebody else claimed the transaction meanwhile: nothing was written, the caller must stop working on it."""

    def __init__(self, transaction_id: str, token: int) -> None:
        super().__init__(f"transaction {transaction_id!r}: fencing token {token} is out of date; nothing was written")
        self.transaction_id = transaction_id
        self.token = token


class ActionsRefusedError(ProcessorError):
    """A condition among a step's own actions did not hold, so neither they nor the progress were written."""

    def __init__(self, reasons: str) -> None:
        super().__init__(f"refused: {reasons}")


class StepRejectedError(Exception):
    """Raised by a step that can never succeed: what has been done so far is compensated.

    Raise it only if this call of the step has changed nothing, or nothing that matters. (What an earlier `More` of the
    same step has changed is compensated.)
    """
