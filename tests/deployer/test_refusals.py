"""What the deployer will not do ends in one line that names resource and rule; no call reaches AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from local.deployer.aws import Aws
from local.deployer.errors import DeployError
from local.deployer.reconcile import Reconciler, Registration
from local.deployer.resources import RESOURCE_TYPES
from local.deployer.state import StackState

if TYPE_CHECKING:
    from pathlib import Path

    from tests.deployer.conftest import Deployment

_TOPIC = "aws:sns/topic:Topic"
_MAPPING = "aws:lambda/eventSourceMapping:EventSourceMapping"
_SOURCE = {"functionName": "f", "eventSourceArn": "arn:aws:kinesis:us-east-1:000000000000:stream/s"}
_REFUSED: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "unknown type": ("aws:ecs/cluster:Cluster", {}, ["aws:ecs/cluster:Cluster"]),
    "unknown property": (_TOPIC, {"archivePolicy": "{}"}, ["archivePolicy", _TOPIC]),
    "unknown property inside an object": (
        _MAPPING,
        {**_SOURCE, "startingPosition": "LATEST", "scalingConfig": {"maximumConcurrency": 2, "speed": 3}},
        ["scalingConfig.speed"],
    ),
    "value outside an enumeration": (
        _MAPPING,
        {**_SOURCE, "startingPosition": "NEWEST"},
        ["startingPosition", "NEWEST", "TRIM_HORIZON"],
    ),
    "value above its limit": (
        _MAPPING,
        {**_SOURCE, "startingPosition": "LATEST", "parallelizationFactor": 11},
        ["parallelizationFactor", "11", "10"],
    ),
    "value below its limit": (
        _MAPPING,
        {**_SOURCE, "startingPosition": "LATEST", "batchSize": 0},
        ["BatchSize", "0", "1"],
    ),
    "missing property": ("aws:pipes/pipe:Pipe", {"roleArn": "arn:aws:iam::000000000000:role/r"}, ["Source", "Target"]),
    "object where text belongs": (_MAPPING, {**_SOURCE, "startingPosition": {}}, ["startingPosition", "text"]),
    "other region": (_TOPIC, {"region": "eu-west-1"}, ["us-east-1", "eu-west-1"]),
}


@pytest.mark.parametrize("case", _REFUSED)
def test_a_resource_is_refused_by_name(case: str, tmp_path: Path) -> None:
    kind, inputs, words = _REFUSED[case]
    aws = Aws("http://127.0.0.1:1", "000000000000", "us-east-1")
    reconciler = Reconciler(aws, RESOURCE_TYPES, StackState(), tmp_path / "state.json")
    with pytest.raises(DeployError) as refused:
        reconciler.register(Registration(f"urn:{kind}::thing", kind, "thing", "", custom=True, inputs=inputs))
    message = str(refused.value)
    assert [word for word in ("'thing'", *words) if word not in message] == [], message
    assert "\n" not in message
    assert not aws.calls


_STOPPED = {
    "error of the program": ("raise ValueError('tick:\\nabove 0')", ["ValueError: tick: above 0", "__main__.py:3"]),
    "resource that is read": ("aws.sns.Topic.get('news', 'arn')", ["'news'", "reading"]),
    "function of the provider": ("aws.get_availability_zones()", ["getAvailabilityZones"]),
    "same name twice": ("aws.sns.Topic('news'); aws.sns.Topic('news')", ["'news'", "twice"]),
}


@pytest.mark.parametrize("case", _STOPPED)
def test_a_program_is_stopped_with_one_line(case: str, deployment: Deployment) -> None:
    program, words = _STOPPED[case]
    deployment.write_program(f"import pulumi\nimport pulumi_aws as aws\n{program}\n")
    outcome = deployment.run("up")
    assert outcome.code == 1
    assert outcome.error.startswith("error: ")
    assert [word for word in words if word not in outcome.error] == [], outcome.error
