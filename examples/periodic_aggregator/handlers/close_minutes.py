"""Turns every minute whose time has come into a board, once; a minute with late scores into a new revision of it."""

from __future__ import annotations

import os
from collections import defaultdict
from typing import Any, cast

from handlers.minutes import minutes
from patterns.dynamodb.items import encode_item
from patterns.periodic_aggregator import ClosedBucket, Outcome

BEST = 10


def close_minute(minute: ClosedBucket) -> Outcome:
    """Rank the players by their points; the board is written in the transaction that marks the minute as done."""
    points: defaultdict[str, int] = defaultdict(int)
    for score in minute.records():
        points[cast("str", score.record["player"])] += cast("int", score.record["points"])
    ranked = sorted(points.items(), key=lambda line: (-line[1], line[0]))[:BEST]
    board = encode_item(
        {
            "board_id": f"{minute.key}#{minute.start_ms}",
            "revision": minute.revision,
            "board": [{"player": player, "points": total} for player, total in ranked],
        }
    )
    return Outcome({"players": len(points)}, [{"Put": {"TableName": os.environ["BOARDS_TABLE"], "Item": board}}])


def handler(event: dict[str, Any], context: Any) -> None:
    """Close what is due; a firing that comes twice closes nothing twice."""
    report = minutes().close_due(
        close_minute, owner=event["execution_id"], remaining_ms=context.get_remaining_time_in_millis
    )
    print(report)
