"""A raid, step by step: everybody pays the entrance, the rooms are cleared one by one, the loot is shared."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from handlers.characters import characters, signed
from handlers.raid_state import Raid
from patterns.dynamodb.client import dynamodb_client
from patterns.dynamodb.items import read_int
from patterns.processor import (
    Done,
    More,
    Processor,
    ProcessorSettings,
    StateCodec,
    Step,
    StepRejectedError,
    lambda_handler,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from patterns.processor import StepContext

_ENTRANCE = 10
_ROOMS = 4
_GOLD_A_ROOM = 30


def enter(raid: Raid, context: StepContext) -> Done[Raid]:
    """Take the entrance from every member; one who cannot pay keeps all of them out."""
    return Done(raid, _pay(raid, -_ENTRANCE, f"entrance of {raid.dungeon}", context))


def leave(raid: Raid, context: StepContext) -> Done[Raid]:
    """Give the entrance back."""
    return Done(raid, _pay(raid, _ENTRANCE, f"entrance of {raid.dungeon} paid back", context))


def clear_rooms(raid: Raid, _context: StepContext) -> Done[Raid] | More[Raid]:
    """Clear one room; progress is kept after each."""
    further = replace(raid, rooms_cleared=raid.rooms_cleared + 1, loot=raid.loot + _GOLD_A_ROOM)
    return Done(further) if further.rooms_cleared == _ROOMS else More(further)


def share_loot(raid: Raid, context: StepContext) -> Done[Raid]:
    """Give every member the same share."""
    return Done(raid, _pay(raid, raid.loot // len(raid.members), f"loot of {raid.dungeon}", context))


def _pay(raid: Raid, gold: int, reason: str, context: StepContext) -> Sequence[TransactWriteItemTypeDef]:
    """Change every member's gold under the version that was read; a change in between makes the step run again."""
    table = characters()
    actions: list[TransactWriteItemTypeDef] = []
    for member in raid.members:
        key = {"character": member}
        found = table.get(key)
        if found is None:
            raise StepRejectedError(f"there is no character {member}")
        left = read_int(found.item, "gold") + gold
        if left < 0:
            raise StepRejectedError(f"{member} cannot pay {-gold} gold")
        change_id = f"{context.idempotency_key}/{context.attempt}"
        signature = signed("raids", reason, change_id, context.now_ms)
        actions.append(table.update_action(key, found.version, {"gold": left, **signature}))
    return actions


handler = lambda_handler(
    Processor(
        dynamodb_client(),
        ProcessorSettings.from_environ(os.environ),
        StateCodec(Raid),
        [
            Step(name="enter", run=enter, compensate=leave),
            Step(name="clear-rooms", run=clear_rooms),
            Step(name="share-loot", run=share_loot),
        ],
    )
)
