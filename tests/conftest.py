"""What holds for every test: properties are not timed, and moto's INSERT refuses a taken key, as DynamoDB's does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from moto.dynamodb.exceptions import ConditionalCheckFailed
from moto.dynamodb.models import DynamoDBBackend

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# Machines differ in speed. With CI in the environment Hypothesis draws the same examples at each run, so that a change
# is judged by what it changed; developers' runs go on looking.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# moto replaces the item.
_INSERT = re.compile(r'INSERT INTO "(?P<table>[\w.-]+)" VALUE \{(?P<attributes>.*)\}')


@pytest.fixture(scope="session", autouse=True)
def moto_inserts_as_aws() -> Iterator[None]:
    def execute(backend: DynamoDBBackend, statements: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [_insert(backend, statement) for statement in statements]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DynamoDBBackend, "batch_execute_statement", execute)
        yield


def _insert(backend: DynamoDBBackend, statement: Mapping[str, Any]) -> dict[str, Any]:
    insert = _INSERT.fullmatch(statement["Statement"])
    assert insert is not None, statement["Statement"]
    names = re.findall(r"'(\w+)': \?", insert["attributes"])
    item = dict(zip(names, statement["Parameters"], strict=True))
    answer: dict[str, Any] = {"TableName": insert["table"]}
    try:
        backend.put_item(
            insert["table"],
            item,
            condition_expression="attribute_not_exists(#key)",
            expression_attribute_names={"#key": backend.get_table(insert["table"]).hash_key_attr},
        )
    except ConditionalCheckFailed:
        return {**answer, "Error": {"Code": "DuplicateItem", "Message": "from moto"}}
    return answer
