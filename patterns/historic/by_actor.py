"""What an actor wrote, whichever item: a page of the history table's index of actors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from patterns.dynamodb.page_token import decode_page_token, encode_page_token
from patterns.historic.bounds import check_actor, check_limit
from patterns.historic.version import ACTOR, ACTOR_INDEX, AT_MS, COLLECTION, VERSION_KEY

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True)
class ActorChange:
    """That an actor wrote an item at a time; `History.read` returns the version itself."""

    actor: str
    at_ms: int
    collection: str
    version_key: str


@dataclass(frozen=True, slots=True)
class ActorPage:
    """Some changes of an actor, newest first, and the token of the next page."""

    changes: tuple[ActorChange, ...]
    next: str | None


def actor_page(client: DynamoDBClient, table_name: str, actor: str, limit: int, token: str | None) -> ActorPage:
    """Return what `History.by_actor` returns."""
    check_actor(actor)
    check_limit(limit)
    scope = ("historic.by_actor", table_name, actor)
    start: dict[str, Any] = {}
    if token is not None:
        at_ms, length, keys = decode_page_token(token, scope).split("/", 2)
        collection, place = keys[: int(length)], keys[int(length) :]
        start = {"ExclusiveStartKey": _index_key(ActorChange(actor, int(at_ms), collection, place))}
    answer = client.query(
        TableName=table_name,
        IndexName=ACTOR_INDEX,
        KeyConditionExpression="#actor = :actor",
        ExpressionAttributeNames={"#actor": ACTOR},
        ExpressionAttributeValues={":actor": {"S": actor}},
        ScanIndexForward=False,
        Limit=limit,
        **start,
    )
    rows: list[dict[str, Any]] = list(answer["Items"])
    changes = tuple(
        ActorChange(actor, int(row[AT_MS]["N"]), row[COLLECTION]["S"], row[VERSION_KEY]["S"]) for row in rows
    )
    following = None
    if "LastEvaluatedKey" in answer and changes:
        last = changes[-1]
        position = f"{last.at_ms}/{len(last.collection)}/{last.collection}{last.version_key}"
        following = encode_page_token(position, scope)
    return ActorPage(changes, following)


def _index_key(change: ActorChange) -> dict[str, Any]:
    return {
        ACTOR: {"S": change.actor},
        AT_MS: {"N": str(change.at_ms)},
        COLLECTION: {"S": change.collection},
        VERSION_KEY: {"S": change.version_key},
    }
