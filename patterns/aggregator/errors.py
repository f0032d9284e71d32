"""Everything an aggregator raises by itself; each text has the value and the rule it breaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from patterns.dynamodb.items import Value


class AggregatorError(Exception):
    """Any of the errors below."""


class InvalidSettingError(AggregatorError, ValueError):
    """A setting that no aggregator can work with."""

    def __init__(self, name: str, value: object, rule: str) -> None:
        super().__init__(f"{name} is {value!r:.80}: {rule}")


class InvalidCompletionError(AggregatorError, ValueError):
    """A completion rule that is unknown or can never be met."""

    def __init__(self, value: object, rule: str) -> None:
        super().__init__(f"completion rule {value!r:.80}: {rule}")


class InvalidKeyError(AggregatorError, ValueError):
    """A group or record id of the wrong shape."""

    def __init__(self, name: str, value: object, rule: str) -> None:
        super().__init__(f"{name} {value!r:.80}: {rule}")


class InvalidRecordError(AggregatorError, ValueError):
    """A record that the group's completion rule cannot take."""

    def __init__(self, name: str, value: object, rule: str) -> None:
        super().__init__(f"{name} {value!r:.80}: {rule}")


class RecordTooLargeError(AggregatorError, ValueError):
    """A record that DynamoDB has no room for."""

    def __init__(self, record_id: str, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(
            f"record {record_id!r:.80} is {size_bytes} bytes: an item has at most {limit_bytes}; "
            "store the payload elsewhere and add a reference to it"
        )
        self.size_bytes = size_bytes


class DifferentRecordError(AggregatorError):
    """The group holds another record under this id, and the policy is to say so. `stored` is the one it holds."""

    def __init__(self, group_id: str, record_id: str, stored: Value) -> None:
        super().__init__(
            f"record {record_id!r:.80} of group {group_id!r:.80} is stored with other content: an id names one record"
        )
        self.stored = stored


class ContendedGroupError(AggregatorError):
    """Other writers won every attempt; nothing of what is left was written, and it may be added again."""

    def __init__(self, group_id: str, attempts: int) -> None:
        super().__init__(
            f"group {group_id!r:.80}: lost to other writers {attempts} times; add in batches, or try again later"
        )
        self.attempts = attempts


class GroupBusyError(AggregatorError):
    """Another invocation acts on the group and its lease has not run out; deliver the record again later."""

    def __init__(self, group_id: str, lease_until_ms: int) -> None:
        super().__init__(f"group {group_id!r:.80}: claimed by another invocation until {lease_until_ms} (epoch ms)")
        self.lease_until_ms = lease_until_ms


class ClaimLostError(AggregatorError):
    """Another invocation took the group over while this one acted; nothing of this one's outcome was written."""

    def __init__(self, group_id: str, token: int) -> None:
        super().__init__(f"group {group_id!r:.80}: claim {token} was taken over before its outcome was written")


class OutcomeRefusedError(AggregatorError):
    """Conditions of the action's own writes failed; neither they nor the group's DONE were written."""

    def __init__(self, group_id: str, positions: list[int]) -> None:
        super().__init__(f"group {group_id!r:.80}: the conditions of the outcome's writes {positions} failed")
        self.positions = positions
