"""Each wrong question or record is refused with the value and the rule in the text."""

# The questions are wrong on purpose, in their types too.
# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from patterns.dynamodb.page_token import InvalidPageTokenError
from patterns.historic import (
    ConfigurationError,
    History,
    HistoryEnvironment,
    InvalidActorError,
    InvalidItemKeyError,
    InvalidTimeError,
    InvalidVersionError,
    ItemKeys,
    UnreadableRecordError,
)
from tests.patterns.historic.world import KEYS, Source, World, account

if TYPE_CHECKING:
    from tests.patterns.stores import Store


@pytest.mark.parametrize(
    ("ask", "error", "text"),
    [
        (lambda h: h.versions({"owner": {"S": "ann"}}), InvalidItemKeyError, r"must have \['owner', 'account'\], got"),
        (lambda h: h.latest({**account(), "x": {"S": "y"}}), InvalidItemKeyError, "got .*'x'"),
        (lambda h: h.as_of({**account(), "owner": {"BOOL": True}}, 1), InvalidItemKeyError, "owner must be a text"),
        (lambda h: h.version({**account(), "account": {"S": ""}}, 1), InvalidItemKeyError, "account must be a text"),
        (lambda h: h.version({**account(), "account": "gold"}, 1), InvalidItemKeyError, "got 'gold'"),
        (lambda h: h.version(account(), 0), InvalidVersionError, "from 1 to .*, got 0"),
        (lambda h: h.version(account(), -3), InvalidVersionError, "got -3"),
        (lambda h: h.version(account(), True), InvalidVersionError, "got True"),
        (lambda h: h.version(account(), 1.0), InvalidVersionError, "got 1.0"),
        (lambda h: h.versions(account(), limit=0), InvalidVersionError, "limit must be .* 1 to 1000, got 0"),
        (lambda h: h.by_actor("ann", limit=1001), InvalidVersionError, "got 1001"),
        (lambda h: h.by_actor(""), InvalidActorError, "actor must be a text of 1 to 500 characters, got ''"),
        (lambda h: h.by_actor("a" * 501), InvalidActorError, "got 'aaa"),
        (lambda h: h.by_actor(None), InvalidActorError, "got None"),
        (lambda h: h.as_of(account(), -1), InvalidTimeError, "at_ms must be .* from 0, got -1"),
        (lambda h: h.as_of(account(), 1.5), InvalidTimeError, "got 1.5"),
        (lambda h: h.between(account(), 5, 4), InvalidTimeError, "to_ms must not be before from_ms, got 5 to 4"),
        (lambda h: h.all_as_of(-1), InvalidTimeError, "got -1"),
        (lambda h: h.collection_as_of({"S": "ann"}, -1), InvalidTimeError, "got -1"),
        (lambda h: h.collection_as_of({"L": []}, 1), InvalidItemKeyError, "owner must be a text"),
        (lambda h: h.versions(account(), token="abc"), InvalidPageTokenError, "another listing"),
    ],
)
def test_a_wrong_question_is_refused_before_any_call(ask: Any, error: type[Exception], text: str) -> None:
    no_client: Any = None
    with pytest.raises(error, match=text):
        ask(History(no_client, "history", KEYS))


def test_a_record_that_is_none_is_refused(store: Store) -> None:
    world = World(store)
    world.source.put(account())
    (good,) = world.source.records
    no_images = {**good, "dynamodb": {**good["dynamodb"]}}
    del no_images["dynamodb"]["NewImage"]
    other_keys = {**good, "dynamodb": {**good["dynamodb"], "Keys": {"id": {"S": "a"}}}}
    for record, error, text in (
        (no_images, UnreadableRecordError, "must have new and old images"),
        ({"body": "an SQS message"}, UnreadableRecordError, "not a record of a DynamoDB stream"),
        (other_keys, InvalidItemKeyError, r"got \['id'\]"),
    ):
        with pytest.raises(error, match=text):
            world.recorder().record([record])


def test_no_two_items_share_their_versions(store: Store) -> None:
    """Keys that contain what the history's own keys are made of."""
    names = ["a", "a#", "a#000000000001", "a~", "a~1", "a~0", "~", "~h", "-", "x" * 1000, "x" * 1001, "é" * 400]
    world = World(store, Source(ItemKeys("so#urce", "owner", "account")))
    for name in names:
        world.source.put(account("ann#", name), name={"S": name})
    world.deliver()
    for name in names:
        (version,) = world.versions(account("ann#", name))
        assert (version.after or {})["name"] == {"S": name}


def test_keys_of_numbers_and_bytes(store: Store) -> None:
    world = World(store, Source(ItemKeys("scores", "game", "rank")))
    keys = [
        {"game": {"N": "1"}, "rank": {"B": b"\x01"}},
        {"game": {"S": "1"}, "rank": {"S": "1"}},
        {"game": {"S": "~n1"}, "rank": {"S": "~bAQ=="}},
    ]
    for number, key in enumerate(keys):
        world.source.put(key, place={"N": str(number)})
    world.deliver()
    assert [len(world.versions(key)) for key in keys] == [1, 1, 1]


@pytest.mark.parametrize("missing", ["HISTORY_TABLE", "HISTORY_SOURCE", "HISTORY_HASH_KEY"])
def test_a_recorder_without_its_variables_does_not_start(missing: str) -> None:
    variables = {"HISTORY_TABLE": "t", "HISTORY_SOURCE": "s", "HISTORY_HASH_KEY": "id"}
    assert HistoryEnvironment.from_environ(variables).keys == ItemKeys("s", "id")
    with pytest.raises(ConfigurationError, match=missing):
        HistoryEnvironment.from_environ({**variables, missing: ""})
