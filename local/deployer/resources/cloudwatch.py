"""Amazon CloudWatch log groups and alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from local.deployer.resources.protocol import Created, Existing, Naming, ResourceType, tag_change, tag_list, without
from local.deployer.shapes import request

if TYPE_CHECKING:
    from local.deployer.aws import Aws
    from local.deployer.state import Properties


class LogGroup(ResourceType):
    token = "aws:cloudwatch/logGroup:LogGroup"
    mapped = frozenset({"kmsKeyId", "logGroupClass", "name", "retentionInDays", "tags"})
    ignored = {"skipDestroy": "the environment goes away as a whole"}  # noqa: RUF012 - a ClassVar of the base
    replace_on = frozenset({"name", "logGroupClass", "kmsKeyId"})
    naming = Naming(max_length=512)

    def create(self, aws: Aws, inputs: Properties) -> Created:
        names = {"name": "logGroupName"}
        parameters = request("logs", "CreateLogGroup", without(inputs, "retentionInDays", "skipDestroy"), names)
        if inputs["tagsAll"]:
            parameters["tags"] = inputs["tagsAll"]
        aws.logs.create_log_group(**parameters)
        name = str(inputs["name"])
        if inputs.get("retentionInDays"):
            self._retain(aws, name, inputs)
        return Created(name, {"arn": aws.arn("logs", f"log-group:{name}"), "name": name})

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        if "retentionInDays" in changed:
            self._retain(aws, existing.id, inputs)
        arn = str(existing.outputs["arn"])
        tags = tag_change(existing, inputs)
        if tags.removed:
            aws.logs.untag_resource(resourceArn=arn, tagKeys=tags.removed)
        if tags.added:
            aws.logs.tag_resource(resourceArn=arn, tags=tags.added)
        return {"arn": arn, "name": existing.id}

    def delete(self, aws: Aws, existing: Existing) -> None:
        aws.logs.delete_log_group(logGroupName=existing.id)

    def listing(self, aws: Aws) -> set[str]:
        pages = aws.logs.get_paginator("describe_log_groups").paginate()
        return {group.get("logGroupName", "") for page in pages for group in page["logGroups"]}

    def _retain(self, aws: Aws, name: str, inputs: Properties) -> None:
        days = inputs.get("retentionInDays", 0)
        if days:
            aws.logs.put_retention_policy(logGroupName=name, retentionInDays=days)
        else:
            aws.logs.delete_retention_policy(logGroupName=name)


class MetricAlarm(ResourceType):
    token = "aws:cloudwatch/metricAlarm:MetricAlarm"
    mapped = frozenset(
        {
            "actionsEnabled",
            "alarmActions",
            "alarmDescription",
            "comparisonOperator",
            "datapointsToAlarm",
            "dimensions",
            "evaluateLowSampleCountPercentiles",
            "evaluationPeriods",
            "extendedStatistic",
            "insufficientDataActions",
            "metricName",
            "metricQueries",
            "name",
            "namespace",
            "okActions",
            "period",
            "statistic",
            "tags",
            "threshold",
            "thresholdMetricId",
            "treatMissingData",
            "unit",
        }
    )
    replace_on = frozenset({"name"})
    naming = Naming(max_length=255)

    def create(self, aws: Aws, inputs: Properties) -> Created:
        aws.cloudwatch.put_metric_alarm(**self._alarm(inputs), Tags=cast("Any", tag_list(inputs["tagsAll"])))
        name = str(inputs["name"])
        return Created(name, {"arn": aws.arn("cloudwatch", f"alarm:{name}")})

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        if changed - {"tagsAll"}:
            aws.cloudwatch.put_metric_alarm(**self._alarm(inputs))
        arn = str(existing.outputs["arn"])
        tags = tag_change(existing, inputs)
        if tags.removed:
            aws.cloudwatch.untag_resource(ResourceARN=arn, TagKeys=tags.removed)
        if tags.added:
            aws.cloudwatch.tag_resource(ResourceARN=arn, Tags=cast("Any", tags.added_list))
        return {"arn": arn}

    def delete(self, aws: Aws, existing: Existing) -> None:
        aws.cloudwatch.delete_alarms(AlarmNames=[existing.id])

    def listing(self, aws: Aws) -> set[str]:
        pages = aws.cloudwatch.get_paginator("describe_alarms").paginate()
        return {alarm.get("AlarmName", "") for page in pages for alarm in page["MetricAlarms"]}

    def _alarm(self, inputs: Properties) -> dict[str, Any]:
        alarm = without(inputs, "dimensions", "metricQueries")
        if "dimensions" in inputs:
            alarm["dimensions"] = _dimensions(inputs["dimensions"])
        if "metricQueries" in inputs:
            alarm["metrics"] = [_query(query) for query in inputs["metricQueries"]]
        names = {"name": "AlarmName", "evaluateLowSampleCountPercentiles": "EvaluateLowSampleCountPercentile"}
        return request("cloudwatch", "PutMetricAlarm", alarm, names)


def _dimensions(dimensions: Properties) -> list[Properties]:
    return [{"name": key, "value": value} for key, value in dimensions.items()]


def _query(query: Properties) -> Properties:
    shaped = {key: value for key, value in query.items() if key != "metric"}
    if "metric" in query:
        metric = dict(query["metric"])
        measured = {key: metric.pop(key) for key in ("metricName", "namespace") if key in metric}
        if "dimensions" in metric:
            measured["dimensions"] = _dimensions(metric.pop("dimensions"))
        shaped["metricStat"] = {**metric, "metric": measured}
    return shaped


TYPES = (LogGroup(), MetricAlarm())
