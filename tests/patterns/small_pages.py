"""A DynamoDB whose pages hold one item: what a megabyte does to a query, without the megabyte."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


class SmallPages:
    """Passes calls on; a query answers with one item and where to go on."""

    def __init__(self, client: DynamoDBClient) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def query(self, **arguments: Any) -> Any:
        """Query one item."""
        return self._client.query(**arguments, Limit=1)
