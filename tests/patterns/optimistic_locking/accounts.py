"""Accounts of players: the items these tests version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from patterns.dynamodb.items import read_int
from patterns.optimistic_locking import Backoff, VersionedTable

if TYPE_CHECKING:
    from patterns.dynamodb.items import Item
    from tests.patterns.stores import Store

ANN: Item = {"player": "ann"}
BOB: Item = {"player": "bob"}


def accounts(store: Store, client: Any = None, **options: Any) -> VersionedTable:
    """A table of accounts, or the one of ``table_name`` through another client; retries do not wait."""
    options.setdefault("table_name", store.create_table("player") if client is None else None)
    options.setdefault("sleep", _do_not_wait)
    options.setdefault("random", lambda: 0.5)
    options.setdefault("backoff", Backoff(attempts=5))
    return VersionedTable(client or store.client, partition_key="player", **options)


def _do_not_wait(_seconds: float) -> None:
    return


def earn(account: Item) -> Item:
    """One more gold."""
    return account | {"gold": read_int(account, "gold") + 1}


def earn_or_start(account: Item | None) -> Item:
    """One more gold, for a new player the first."""
    return ANN | {"gold": 1} if account is None else earn(account)
