"""Chests over HTTP: ``{"method": …, "chest": …, "headers": {…}, "body": {…}}``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from handlers.bank import chests
from patterns.dynamodb.items import read_int
from patterns.optimistic_locking import Refused, etag, not_modified, write_if_match

if TYPE_CHECKING:
    from patterns.dynamodb.items import Item, Value


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Route by method."""
    key = {"chest": event["chest"]}
    headers, body = event.get("headers", {}), event.get("body", {})
    match event["method"]:
        case "GET":
            return show(key, headers.get("if-none-match"))
        case "PUT":
            return rename(key, headers.get("if-match"), body["name"])
        case _:
            return deposit(key, body["gold"], body["deposit_id"])


def show(key: Item, if_none_match: str | None) -> dict[str, Any]:
    """Return the chest with its ETag, or 304 to a client that has this version."""
    stored = chests().get(key)
    if stored is None:
        return {"status": 404}
    headers = {"etag": etag(key, stored.version)}
    if not_modified(if_none_match, key, stored.version):
        return {"status": 304, "headers": headers}
    return {"status": 200, "headers": headers, "body": stored.item}


def rename(key: Item, if_match: str | None, name: str) -> dict[str, Any]:
    """Rename the chest, unless somebody has changed it since the client saw it."""
    outcome = write_if_match(chests(), key, if_match, lambda chest: chest | {"name": name})
    if isinstance(outcome, Refused):
        current = outcome.current and outcome.current.item
        return {
            "status": outcome.status,
            "headers": {"etag": outcome.etag} if outcome.etag else {},
            "body": {"rule": outcome.rule, "current": current},
        }
    return {"status": outcome.status, "headers": {"etag": outcome.etag}, "body": outcome.stored.item}


def deposit(key: Item, gold: int, deposit_id: str) -> dict[str, Any]:
    """Put gold into the chest, which the first deposit makes. A deposit sent again is not made again."""

    def add(chest: Item | None) -> Item | None:
        stored = chest or {**key, "gold": 0, "deposits": []}
        deposits = cast("list[Value]", stored["deposits"])
        if deposit_id in deposits:
            return None
        return {**stored, "gold": read_int(stored, "gold") + gold, "deposits": [*deposits[-99:], deposit_id]}

    stored = chests().upsert(key, add)
    return {"status": 200, "headers": {"etag": etag(key, stored.version)}, "body": stored.item}
