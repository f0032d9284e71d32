"""A party is full: submit its raid, once, in the transaction that closes the party."""

from __future__ import annotations

import os
import random
import time
from typing import Any

from handlers.raid_state import Raid
from patterns.aggregator import AggregatorSettings, CompleteGroup, Outcome, complete_groups
from patterns.dynamodb.client import dynamodb_client
from patterns.processor import ProcessorSettings, StateCodec, TransactionStore

_client = dynamodb_client()
_raids = TransactionStore(_client, ProcessorSettings.from_environ(os.environ), StateCodec(Raid))
_parties = AggregatorSettings.from_environ(os.environ).aggregator(
    _client, clock=lambda: time.time_ns() // 1_000_000, sleep=time.sleep, random=random.random
)


def start(party: CompleteGroup) -> Outcome:
    """Turn the party into a raid of the same name."""
    members = sorted(signed_up.record_id for signed_up in party.records())
    dungeon, _, _ = party.group_id.partition("/")
    raid = Raid(dungeon, members)
    return Outcome({"members": [*members]}, [_raids.submit_action(party.group_id, raid)])


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Start the raids of the full parties of the event."""
    print(f"{len(event['Records'])} full parties")
    return complete_groups(event, _parties, start, lambda party, error: print(f"{party}: {error!r}"))
