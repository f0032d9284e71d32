"""A part of the market on its own: the surroundings it is deployed into, and what is asked of what it deploys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi_aws as aws

from components.http_api import HttpApi
from components.settings import Settings, read_settings
from components.table import KeyType, Table
from tests.components import rules
from tests.components.graph import PROJECT, Graph, stack_configuration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pulumi

RULES: Sequence[Callable[[Graph], rules.Violations]] = (
    rules.no_wildcards,
    rules.everything_is_encrypted,
    rules.functions_log_with_retention,
    rules.stream_consumers_are_bounded,
    rules.schedules_are_bounded,
    rules.everything_is_watched,
    rules.routes_demand_a_token,
    rules.no_physical_names,
)
"""The rules of the house that hold for any part."""


@dataclass(frozen=True)
class Surroundings:
    """What a part is given: tables by their names in the tests, with underscores."""

    settings: Settings
    api: HttpApi
    tables: Mapping[str, Table]
    topic_arn: pulumi.Output[str]


def surroundings(keys: Mapping[str, Sequence[tuple[str, str]]], **settings: str) -> Surroundings:
    """Make the surroundings, inside a program that is being recorded.

    Parameters
    ----------
    keys
        Table → name and type of its hash key and of its range key.
    settings
        Values in place of those of ``dev``, by configuration key.
    """
    prefix = f"{PROJECT}:"
    configured = {
        key.removeprefix(prefix): text for key, text in stack_configuration("dev").items() if key.startswith(prefix)
    }
    topic_arn = aws.sns.Topic("topic").arn
    api = HttpApi(
        "http",
        {
            "jwt_issuer": "https://id.example",
            "jwt_audience": "market",
            "log_retention_days": 7,
            "alarm_topic_arn": topic_arn,
        },
    )
    tables = {
        name.replace("-", "_"): Table(
            name,
            {
                "hash_key": hash_key,
                "range_key": range_key,
                "range_key_type": KeyType(range_type),
                "stream": True,
                "point_in_time_recovery": False,
                "deletion_protection": False,
            },
        )
        for name, ((hash_key, _), (range_key, range_type)) in keys.items()
    }
    return Surroundings(read_settings("dev", configured | settings), api, tables, topic_arn)


def rights(graph: Graph, function: str) -> dict[str, set[str]]:
    """Return table (or one of its indexes) → what a function, by the start of its role's name, may do with it."""
    found: dict[str, set[str]] = {}
    for policy in graph.of_type("aws:iam/rolePolicy:RolePolicy"):
        if policy.inputs["role"].startswith(function):
            for statement in rules.statements(policy):
                for resource in statement["Resource"]:
                    _, _, service, _, _, path = str(resource).split(":", 5)
                    if service == "dynamodb" and "/stream/" not in path:
                        name = path.removeprefix("table/").replace("-table-0123456", "")
                        actions = (action.removeprefix("dynamodb:") for action in statement["Action"])
                        found.setdefault(name, set()).update(actions)
    return found
