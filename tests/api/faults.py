"""Faults of DynamoDB, injected into the client that the functions use."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError
from moto.core.models import botocore_stubber

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from types_boto3_dynamodb import DynamoDBClient


@contextmanager
def hooked(client: DynamoDBClient, event: str, hook: Callable[..., Any]) -> Generator[None]:
    """Call `hook` at an event of the client, e.g. ``before-call.dynamodb.Query``."""
    client.meta.events.register_first(event, hook)
    try:
        yield
    finally:
        client.meta.events.unregister(event, hook)


@contextmanager
def refusing(
    client: DynamoDBClient, operation: str, code: str, *, times: int = 1000, reasons: list[str] | None = None
) -> Generator[None]:
    """Refuse the first `times` calls of an operation, before anything is stored."""
    seen = 0

    def refuse(**_kwargs: object) -> tuple[AWSResponse, dict[str, Any]] | None:
        nonlocal seen
        seen += 1
        if seen > times:
            return None
        parsed: dict[str, Any] = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {}}
        if reasons:
            parsed["CancellationReasons"] = [{"Code": reason} for reason in reasons]
        return AWSResponse("https://dynamodb", 400, {}, None), parsed  # pyright: ignore[reportArgumentType]

    with hooked(client, f"before-call.dynamodb.{operation}", refuse):
        yield


@contextmanager
def losing_answers(client: DynamoDBClient, operation: str, *, times: int = 1) -> Generator[None]:
    """Let the first calls of an operation do their work, and lose the answers."""
    lost = 0

    def lose(event_name: str, request: Any, **kwargs: Any) -> None:
        nonlocal lost
        if lost < times:
            lost += 1
            assert botocore_stubber(event_name, request, **kwargs) is not None
            raise ReadTimeoutError(endpoint_url="https://dynamodb")

    with hooked(client, f"before-send.dynamodb.{operation}", lose):
        yield
    assert lost == times
