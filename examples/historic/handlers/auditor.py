"""The bank's auditor: what an account was at a time, who did what, and whether the books are whole."""

from __future__ import annotations

import os
from typing import Any

from patterns.dynamodb.client import dynamodb_client
from patterns.historic import Archive, BeforeFirstVersionError, History, ItemKeys, UnknownItemError, s3_client, verify

_archive = Archive(s3_client(), os.environ["HISTORY_ARCHIVE_BUCKET"])
_history = History(dynamodb_client(), os.environ["HISTORY_TABLE"], ItemKeys("accounts", "guild", "account"), _archive)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer one question.

    Parameters
    ----------
    event
        ``{"guild": …, "account": …}`` and, for its balance at a time, ``"as_of"`` in epoch ms; or ``{"player": …}``.

    Returns
    -------
    dict[str, Any]
        ``balance`` at that time; or ``moves`` of the account and whether its history ``holds``; or the accounts that a
        player changed.
    """
    if "player" in event:
        changes = _history.by_actor(event["player"]).changes
        return {"accounts": sorted({_history.read(change).key["account"]["S"] for change in changes})}
    key = {"guild": {"S": event["guild"]}, "account": {"S": event["account"]}}
    if "as_of" in event:
        try:
            account = _history.as_of(key, event["as_of"]).after
        except (BeforeFirstVersionError, UnknownItemError):
            account = None
        return {"balance": _balance(account)}
    moves = [
        {"by": version.actor, "why": version.reason, "at_ms": version.at_ms, "balance": _balance(version.after)}
        for version in _history.versions(key).versions
    ]
    return {"moves": moves, "holds": verify(_history, key).holds}


def _balance(account: dict[str, Any] | None) -> int | None:
    return int(account["balance"]["N"]) if account else None
