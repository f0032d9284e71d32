"""The page's code is code that runs: every snippet stands in the example or in a test."""

from __future__ import annotations

import importlib
import re
import sys
from typing import TYPE_CHECKING

import patterns.historic
from local.environment import PROJECT_ROOT
from patterns.historic import ItemKeys, SignedAttributes, restore, sign_and_delete
from tests.patterns.historic.world import START_MS, Source, World, account

if TYPE_CHECKING:
    import pytest

    from tests.patterns.stores import Store

PAGE = (PROJECT_ROOT / "patterns" / "historic" / "README.md").read_text("utf-8")
SOURCES = (PROJECT_ROOT / "examples" / "historic", PROJECT_ROOT / "tests" / "patterns" / "historic")


def test_every_snippet_is_an_excerpt_of_a_tested_file() -> None:
    snippets = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    texts = [path.read_text(encoding="utf-8") for folder in SOURCES for path in folder.rglob("*.py")]
    assert snippets
    for snippet in snippets:
        assert any(snippet in text for text in texts), snippet


def test_every_public_error_is_on_the_page() -> None:
    names = [name for name in patterns.historic.__all__ if name.endswith("Error") and name != "HistoryError"]
    assert [name for name in names if f"`{name}`" not in PAGE] == []


def test_a_recorder_of_ones_own_signs_in_its_own_way(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(store, Source(ItemKeys("crews", "crew")))
    variables = {"HISTORY_TABLE": world.table, "HISTORY_SOURCE": "crews", "HISTORY_HASH_KEY": "crew"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("HISTORY_RANGE_KEY", raising=False)
    monkeypatch.setattr("patterns.dynamodb.client.dynamodb_client", lambda: store.client)
    monkeypatch.delitem(sys.modules, "tests.patterns.historic.own_recorder", raising=False)
    recorder = importlib.import_module("tests.patterns.historic.own_recorder")
    crew = {"crew": {"S": "owls"}}
    world.source.put(crew, captain={"S": "ann"})
    world.source.put(crew, captain={"S": "bob"})
    world.source.delete(crew)
    assert recorder.handler({"Records": world.source.records}, None) == {"batchItemFailures": []}
    told = [(version.actor, version.reason) for version in world.versions(crew)]
    assert told == [("ann", "orders"), ("bob", "orders"), ("bob", "orders")]


def test_undo_and_delete_as_the_page_does(store: Store) -> None:
    world, key = World(store), account()
    client, history, accounts_table = store.client, world.history, store.create_table("owner", "account")
    keys, signed, now_ms = world.source.keys, SignedAttributes(), START_MS
    world.source.put(key, by="ann", balance={"N": "5"})
    cheated = world.source.put(key, by="eve", balance={"N": "999"})
    world.deliver()
    client.put_item(TableName=accounts_table, Item=cheated)

    signature = signed.sign("admin", "eve had cheated", "request-7", now_ms)
    wanted, latest = history.version(key, 1), history.latest(key)
    restore(client, accounts_table, keys, wanted=wanted, latest=latest, overlay=signature)

    assert client.get_item(TableName=accounts_table, Key=key).get("Item", {})["balance"] == {"N": "5"}
    sign_and_delete(
        client, accounts_table, key, signed, actor="admin", reason="closed", change_id="request-8", at_ms=now_ms
    )
    assert "Item" not in client.get_item(TableName=accounts_table, Key=key)
