"""Amazon EventBridge Scheduler: checked and written to the state file; `local.delivery` executes schedules, because the
emulator fires them by its own clock and neither retries nor keeps what it could not deliver.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.deployer.resources.protocol import Created, Existing, Naming, ResourceType, without
from local.deployer.shapes import request

if TYPE_CHECKING:
    from local.deployer.aws import Aws
    from local.deployer.state import Properties


class Schedule(ResourceType):
    token = "aws:scheduler/schedule:Schedule"
    mapped = frozenset(
        {
            "description",
            "endDate",
            "flexibleTimeWindow",
            "groupName",
            "name",
            "scheduleExpression",
            "scheduleExpressionTimezone",
            "startDate",
            "state",
            "target",
        }
    )
    replace_on = frozenset({"name", "groupName"})
    naming = Naming(max_length=64)

    def create(self, aws: Aws, inputs: Properties) -> Created:
        request("scheduler", "CreateSchedule", without(inputs))
        identifier = f"{inputs.get('groupName', 'default')}/{inputs['name']}"
        return Created(identifier, {"arn": aws.arn("scheduler", f"schedule/{identifier}")})

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        return self.create(aws, inputs).outputs

    def delete(self, aws: Aws, existing: Existing) -> None:
        """Nothing exists outside the state file."""


TYPES = (Schedule(),)
