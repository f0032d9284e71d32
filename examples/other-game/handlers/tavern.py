"""The tavern: where characters are made and equipped, parties found, and stories told."""

from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING, Any

from handlers.characters import characters, signed
from handlers.raid_state import Raid
from patterns.aggregator import AggregatorSettings
from patterns.dynamodb.client import dynamodb_client
from patterns.historic import History, ItemKeys, verify
from patterns.optimistic_locking import ConflictError
from patterns.processor import ProcessorSettings, StateCodec, TransactionNotFoundError, TransactionStore

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


_client = dynamodb_client()
_raids = TransactionStore(_client, ProcessorSettings.from_environ(os.environ), StateCodec(Raid))
_history = History(_client, os.environ["HISTORY_TABLE"], ItemKeys("characters", "character"))
_parties = AggregatorSettings.from_environ(os.environ).aggregator(
    _client, clock=_now_ms, sleep=time.sleep, random=random.random
)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one guest.

    Parameters
    ----------
    event
        ``{"create": character, "gold": …}``; ``{"equip": character, "item": …, "version": version it was seen at}``;
        ``{"join": party, "character": …}``, a party being named ``dungeon/name``; ``{"raid": party}``; or
        ``{"story": character}``.
    context
        Its request id is a change's id.
    """
    print(sorted(event))
    match event:
        case {"create": character, "gold": gold}:
            signature = signed(character, "created", context.aws_request_id, _now_ms())
            made = characters().create({"character": character, "gold": gold, "items": [], **signature})
            return {"version": made.version}
        case {"equip": character, "item": item, "version": version}:
            return _equip(character, item, version, context.aws_request_id)
        case {"join": party, "character": character}:
            return {"joined": _parties.add(party, character, {"joined_at_ms": _now_ms()})}
        case {"raid": party}:
            return _raid(party)
        case {"story": character}:
            return _story(character)
        case _:
            return {"error": "not understood"}


def _raid(party: str) -> dict[str, Any]:
    try:
        raid = _raids.get(party)
    except TransactionNotFoundError:
        return {"status": "WAITING"}
    return {"status": raid.status, "rooms_cleared": raid.state.rooms_cleared, "reason": raid.error}


def _equip(character: str, item: str, version: int, change_id: str) -> dict[str, Any]:
    """Give an item to a character as the guest saw it; a guest who saw an older one is shown the newer."""
    table = characters()
    seen = table.get({"character": character})
    if seen is None:
        return {"error": f"there is no {character}"}
    items = seen.item["items"]
    assert isinstance(items, list)
    signature = signed(character, f"took {item}", change_id, _now_ms())
    try:
        stored = table.replace({**seen.item, **signature, "items": [*items, item]}, version)
    except ConflictError as conflict:
        current = conflict.current
        return {"conflict": True} if current is None else {"conflict": True, "version": current.version}
    return {"version": stored.version}


def _story(character: str) -> dict[str, Any]:
    key = {"character": {"S": character}}
    lines = [
        f"{version.actor}: {version.reason}, {version.after['gold']['N']} gold"
        for version in _history.versions(key).versions
        if version.after
    ]
    return {"lines": lines, "holds": verify(_history, key).holds}
