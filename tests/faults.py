"""Faults of DynamoDB, injected between the code under test and its client: before a call does its work, or after."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError, ReadTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from types_boto3_dynamodb import DynamoDBClient


class Crash(BaseException):
    """The function dies here, as when Lambda stops it: nothing may catch this."""


def _ignore(_name: str) -> None:
    return


class FaultyClient:
    """Passes calls on, counts them, and has trouble with those of the plan.

    Parameters
    ----------
    client
        The real client.
    plan
        Number of a call, from 0, to its trouble: ``crash before``, ``crash after``, ``lost answer``, ``throttle``,
        ``conflict`` (of transactions; a throttle elsewhere), or a function to run before the call.
    after_call
        Called with the operation's name after each call that did its work.

    Attributes
    ----------
    calls
        Calls so far by operation, the failed ones too.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        plan: Mapping[int, str | Callable[[], object]] | None = None,
        after_call: Callable[[str], None] = _ignore,
    ) -> None:
        self._client = client
        self._plan = plan or {}
        self._after_call = after_call
        self._number = -1
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        def call(**arguments: Any) -> Any:
            self._number += 1
            self.calls[name] += 1
            trouble = self._plan.get(self._number)
            if callable(trouble):
                trouble()
            elif trouble == "crash before":
                raise Crash
            elif trouble in ("throttle", "conflict"):
                raise _refusal(name, trouble, len(arguments.get("TransactItems", ())))
            answer = getattr(self._client, name)(**arguments)
            self._after_call(name)
            if trouble == "crash after":
                raise Crash
            if trouble == "lost answer":
                raise ReadTimeoutError(endpoint_url="https://dynamodb")
            return answer

        return call


def _refusal(name: str, trouble: str, actions: int) -> ClientError:
    if name == "transact_write_items":
        code = "TransactionConflict" if trouble == "conflict" else "ThrottlingError"
        reasons = [{"Code": "None"}] * (actions - 1) + [{"Code": code, "Message": "injected"}]
        response = {
            "Error": {"Code": "TransactionCanceledException", "Message": "injected"},
            "CancellationReasons": reasons,
        }
        return ClientError(cast("Any", response), "TransactWriteItems")
    throttled = {"Error": {"Code": "ProvisionedThroughputExceededException", "Message": "injected"}}
    return ClientError(cast("Any", throttled), name)
