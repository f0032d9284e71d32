"""Makes the emulator of this process quick where it does the same work again and again; what it answers stays the same.

MiniStack checks an expression's grammar once for every item it compares with it, reads a role's policies for every
call, and walks through everything a Kinesis stream holds, and through every iterator of the last five minutes, at every
put and read. None of that is noticed in a test; under a steady load it is most of the emulator's time.
"""

from __future__ import annotations

import gc
import queue
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable

_EXPRESSIONS = 4096
_DOCUMENTS = 1024
_EXPIRY_ROUND_S = 15.0
_NEVER = 1_000_000


def quicken() -> None:
    """Quicken the emulator of this process. Called before it serves."""
    from ministack.core import iam_evaluator, lambda_runtime, responses, router  # noqa: PLC0415 - read their settings at import
    from ministack.services import dynamodb, kinesis  # noqa: PLC0415

    _quicken_expressions(dynamodb)
    _quicken_streams(kinesis)
    _quicken_policies(iam_evaluator, responses, router)
    _quicken_logs(lambda_runtime)
    # A full collection stops everything for as long as there is data: tenths of a second for an hour of trading.
    gc.set_threshold(20_000, 20, _NEVER)


def _quicken_expressions(dynamodb: Any) -> None:
    """Tokenize an expression once, and check its grammar once."""
    tokenize: Callable[[str], list[tuple[str, str]]] = lru_cache(_EXPRESSIONS)(dynamodb._tokenize)
    evaluate: Callable[..., Any] = dynamodb._evaluate_condition
    make_evaluation: Callable[..., Any] = dynamodb._ExprEval
    correct: dict[tuple[str, str], list[tuple[str, str]]] = {}

    def evaluate_known(expression: str, item: Any, values: Any, names: Any, slot: str = "ConditionExpression") -> Any:
        tokens = correct.get((expression, slot))
        if tokens is not None:
            try:
                return make_evaluation(tokens, item, values, names).evaluate()
            except Exception:
                # Whatever is wrong, the emulator says it in its own words.
                return evaluate(expression, item, values, names, slot)
        outcome = evaluate(expression, item, values, names, slot)
        # The bounds of BETWEEN are values: a query checks those of its key once, everything else item by item.
        known = slot == "KeyConditionExpression" or "BETWEEN" not in (expression or "").upper()
        if known and (expression or "").strip() and len(correct) < _EXPRESSIONS:
            correct[expression, slot] = tokenize(expression)
        return outcome

    dynamodb._tokenize = tokenize
    dynamodb._evaluate_condition = evaluate_known
    dynamodb._condition_syntax_error = lru_cache(_EXPRESSIONS)(dynamodb._condition_syntax_error)


def _quicken_streams(kinesis: Any) -> None:
    """Look for what has expired where it must be if there is any: at the front; and for iterators, now and then."""
    expire_records: Callable[[dict[str, Any]], None] = kinesis._expire_records
    expire_iterators: Callable[[], None] = kinesis._expire_iterators
    next_round = 0.0

    def expire_old_records(stream: dict[str, Any]) -> None:
        cutoff = time.time() - stream["RetentionPeriodHours"] * 3600
        shards = stream["shards"].values()
        if any(shard["records"] and shard["records"][0]["ApproximateArrivalTimestamp"] < cutoff for shard in shards):
            expire_records(stream)

    def expire_old_iterators() -> None:
        # A read checks the age of its iterator by itself.
        nonlocal next_round
        if time.monotonic() >= next_round:
            next_round = time.monotonic() + _EXPIRY_ROUND_S
            expire_iterators()

    kinesis._expire_records = expire_old_records
    kinesis._expire_iterators = expire_old_iterators


def _quicken_policies(iam_evaluator: Any, responses: Any, router: Any) -> None:
    """Read a policy document once, and find a caller's name without their policies."""
    resolve: Callable[..., Any] = iam_evaluator.resolve_credential
    account_of_session: Callable[[str], str | None] = responses._account_from_sts_session

    def caller_arn(headers: dict[str, str], query: Any = None) -> str:
        account_id: str = responses.get_account_id()
        access_key_id: str | None = router.extract_access_key_id(headers or {}, query or {})
        credential = resolve(access_key_id, account_of_session(access_key_id) or account_id) if access_key_id else None
        return getattr(credential, "principal_arn", "") or f"arn:aws:iam::{account_id}:root"

    parse: Callable[[Any], Any] = iam_evaluator.parse_policy_document
    parse_text = lru_cache(_DOCUMENTS)(parse)

    def parse_document(document: Any) -> Any:
        return parse_text(document) if isinstance(document, str) else parse(document)

    iam_evaluator.parse_policy_document = parse_document
    iam_evaluator.request_caller_arn = caller_arn


def _quicken_logs(lambda_runtime: Any) -> None:
    """Wait for a function's log lines instead of looking for them a thousand times a second."""

    def drain(worker: Any, first_line_wait: float = 0.050, idle_confirm: float = 0.005, hard_cap: float = 0.250) -> str:
        lines: list[str] = []
        until = time.monotonic() + hard_cap
        wait = first_line_wait
        while (left := until - time.monotonic()) > 0:
            try:
                lines.append(cast("queue.Queue[str]", worker._stderr_queue).get(timeout=min(wait, left)))
            except queue.Empty:
                break
            wait = idle_confirm
        return "\n".join(lines)

    lambda_runtime.Worker._drain_stderr_bounded = drain
