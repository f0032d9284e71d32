"""Amazon EventBridge Pipes: checked and written to the state file; `local.delivery` executes them, because the
emulator delivers to few targets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.deployer.resources.protocol import Created, Existing, Naming, ResourceType, without
from local.deployer.shapes import request

if TYPE_CHECKING:
    from local.deployer.aws import Aws
    from local.deployer.state import Properties

_NAMES = {"includeExecutionDatas": "IncludeExecutionData"}


class Pipe(ResourceType):
    token = "aws:pipes/pipe:Pipe"
    mapped = frozenset(
        {
            "description",
            "desiredState",
            "kmsKeyIdentifier",
            "name",
            "roleArn",
            "source",
            "sourceParameters",
            "tags",
            "target",
            "targetParameters",
        }
    )
    ignored = {"logConfiguration": "local delivery writes its log to the supervisor's log file"}  # noqa: RUF012 - a ClassVar of the base
    replace_on = frozenset({"name", "source"})
    naming = Naming(max_length=64)

    def create(self, aws: Aws, inputs: Properties) -> Created:
        request("pipes", "CreatePipe", without(inputs), _NAMES)
        return Created(str(inputs["name"]), {"arn": aws.arn("pipes", f"pipe/{inputs['name']}")})

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        request("pipes", "CreatePipe", without(inputs), _NAMES)
        return {"arn": existing.outputs["arn"]}

    def delete(self, aws: Aws, existing: Existing) -> None:
        """Nothing exists outside the state file."""


TYPES = (Pipe(),)
