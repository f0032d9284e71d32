"""The stand-alone components can be offered to other programs: Pulumi's own analysis accepts their contracts."""

from __future__ import annotations

import pytest
from pulumi.provider.experimental.analyzer import Analyzer, ComponentDefinition

from components.alarms import AlarmTopic
from components.dead_letter_queue import DeadLetterQueue
from components.function import Function
from components.http_api import HttpApi
from components.kinesis_stream import KinesisStream
from components.pipe import Pipe
from components.player_pool import PlayerPool
from components.stream_consumer import StreamConsumer
from components.table import Table
from tests.components.graph import PROJECT

STAND_ALONE = [
    AlarmTopic,
    DeadLetterQueue,
    Function,
    HttpApi,
    KinesisStream,
    Pipe,
    PlayerPool,
    StreamConsumer,
    Table,
]


@pytest.fixture(scope="module")
def definitions() -> dict[str, ComponentDefinition]:
    return Analyzer(PROJECT).analyze([*STAND_ALONE])["component_definitions"]


@pytest.mark.parametrize("name", [component.__name__ for component in STAND_ALONE])
def test_every_input_and_output_is_described(definitions: dict[str, ComponentDefinition], name: str) -> None:
    definition = definitions[name]
    assert definition.description
    assert definition.inputs
    assert definition.outputs
    for key, described in (definition.inputs | definition.outputs).items():
        assert described.description, key


def test_optional_inputs_stay_optional(definitions: dict[str, ComponentDefinition]) -> None:
    inputs = definitions["StreamConsumer"].inputs
    assert {key for key, described in inputs.items() if not described.optional} == {"functionName", "roleName"}
