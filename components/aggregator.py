"""Aggregator: records collected under a group key, and a function that is called once when a group is complete."""

import json
from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

import pulumi

from components.adopted_table import adopt_table
from components.function import Function
from components.grants import Statement
from components.inputs import InputError, check_inputs, check_range
from components.runtime_layer import runtime_layer_arn
from components.schedule import Schedule
from components.table import KeyType, Projection, Table
from components.table_uses import right_on

_HASH_KEY = "group_id"
_RANGE_KEY = "entry"
_INDEX = "pending"
_HEADER = "group"
_MOST_KINDS = 50
# A group's header carries the state COMPLETE in exactly one of its versions.
_COMPLETIONS = json.dumps(
    {
        "eventName": ["INSERT", "MODIFY"],
        "dynamodb": {"Keys": {_RANGE_KEY: {"S": [_HEADER]}}, "NewImage": {"state": {"S": ["COMPLETE"]}}},
    }
)
_TIMEOUTS = "from patterns.aggregator.timeouts import handler as handler\n"
# Lambda kills the function at its timeout; the lease outlives it, so that two never act at a time.
_LEASE_BEYOND_TIMEOUT_S = 5


class AggregatorArgs(TypedDict):
    """Inputs of `Aggregator`; at least one completion (count, kinds, predicate, timeout) must be given."""

    handler: str
    """Dotted path of the handler inside the archive: it passes its event to `patterns.aggregator.complete_groups`."""
    code: pulumi.Archive
    """Archive with the handler; the pattern libraries come from the layer."""
    code_holds_libraries: NotRequired[bool]
    """Whether ``code`` has the pattern libraries in it, so that the handler needs no layer. Default: false."""
    complete_at_count: NotRequired[int]
    """A group is complete with this many records. Default: number does not matter."""
    complete_with_kinds: NotRequired[Sequence[str]]
    """A group is complete with a record of each of these kinds, 50 at most, without commas. Default: kinds do not
    matter."""
    complete_by_predicate: NotRequired[bool]
    """A group is complete when a function says so, which the callers pass to `AggregatorSettings.from_environ`.
    Default: false."""
    timeout_s: NotRequired[int]
    """Age in seconds at which an open group is complete as it is. Default: groups wait for ever."""
    timeout_check: NotRequired[str]
    """How often to look for such groups, a schedule expression. Default: ``rate(1 minute)``."""
    keep_late_records: NotRequired[bool]
    """Whether a record that comes after its group was complete is stored, marked late. Default: false."""
    refuse_different_duplicates: NotRequired[bool]
    """Whether a record with a used id but other content is an error; it is ignored otherwise. Default: false."""
    retention_days: NotRequired[int]
    """Days after which a group's items are deleted, 1..3650, each counted from its last write and, with ``timeout_s``,
    from that long after it: longer than a group may be open. Default: they stay."""
    variables: NotRequired[Mapping[str, pulumi.Input[str]]]
    """Further environment variables of the function. Default: none."""
    rights: NotRequired[Sequence[Statement]]
    """What the function's action may do elsewhere, IAM actions on complete ARNs. Default: nothing."""
    memory_mb: NotRequired[int]
    """Memory of the function in MB. Default: 512."""
    function_timeout_s: NotRequired[int]
    """Longest run of the function in seconds, 1..900; the lease on a group is 5 s longer. Default: 30."""
    batch_size: NotRequired[int]
    """Most complete groups per invocation, 1..10000. Default: 10."""
    log_retention_days: NotRequired[int]
    """Days the log groups keep their events. Default: 30."""
    runtime_layer_arn: NotRequired[pulumi.Input[str] | None]
    """ARN of a `RuntimeLayer`'s version. Default: the component publishes one of its own; share one when several
    patterns live in a program."""
    table_name: NotRequired[pulumi.Input[str]]
    """Name of an existing table to use, with text keys ``group_id`` and ``entry`` and a KEYS_ONLY index ``pending`` of
    keys ``pending`` (text) and ``pending_since_ms`` (number); with ``retention_days`` also with time to live on
    ``expires_at_s``. Default: the component makes one."""
    table_arn: NotRequired[pulumi.Input[str]]
    """ARN of the existing table."""
    table_stream_arn: NotRequired[pulumi.Input[str]]
    """ARN of the existing table's stream, with new images."""
    point_in_time_recovery: NotRequired[bool]
    """Whether the made table can be restored to any second of the last 35 days. Default: false."""
    deletion_protection: NotRequired[bool]
    """Whether AWS and Pulumi refuse to delete the made table. Default: false."""
    alarm_topic_arn: NotRequired[pulumi.Input[str] | None]
    """SNS topic for all alarms. Default: the alarms are only shown in CloudWatch."""


class Aggregator(pulumi.ComponentResource):
    """A table of groups, a function called once for each complete group, and a schedule for those that wait too long.

    Writes that complete no group, and the writing of the outcome, invoke nothing: the event source mapping filters.
    """

    table_name: pulumi.Output[str]
    """Name of the table with the groups."""
    table_arn: pulumi.Output[str]
    """ARN of the table: who adds needs GetItem, PutItem and UpdateItem on it; who operates GetItem, Query and
    UpdateItem, and Query on its index ``pending``."""
    function_name: pulumi.Output[str]
    """Name of the function that acts on complete groups."""
    role_name: pulumi.Output[str]
    """Name of its role, for further rights of its own."""
    failures_queue_url: pulumi.Output[str]
    """URL of the queue with the positions of completions given up; the groups are listed by `Aggregator.unfired`."""
    variables: pulumi.Output[dict[str, str]]
    """Environment variables for the functions that add records."""

    def __init__(self, name: str, args: AggregatorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:Aggregator", name, {}, opts)
        check_inputs("Aggregator", name, args, AggregatorArgs)
        completion = _completion(name, args)
        timeout_s = args.get("timeout_s")
        retention_days = args.get("retention_days")
        function_timeout_s = args.get("function_timeout_s", 30)
        alarm_topic_arn = args.get("alarm_topic_arn")
        log_retention_days = args.get("log_retention_days", 30)
        if timeout_s is not None:
            check_range("Aggregator", name, "timeout_s", timeout_s, low=1, high=365 * 24 * 3600)
        if retention_days is not None:
            check_range("Aggregator", name, "retention_days", retention_days, low=1, high=3650)
            if retention_days * 24 * 3600 <= (timeout_s or 0):
                raise InputError("Aggregator", name, "retention_days", f"must be longer than timeout_s, {timeout_s}")
        refuse_different = args.get("refuse_different_duplicates", False)
        child = pulumi.ResourceOptions(parent=self)

        table = adopt_table("Aggregator", name, args, self, stream=True) or Table(
            f"{name}-groups",
            {
                "hash_key": _HASH_KEY,
                "range_key": _RANGE_KEY,
                "indexes": [
                    {
                        "name": _INDEX,
                        "hash_key": "pending",
                        "range_key": "pending_since_ms",
                        "range_key_type": KeyType.NUMBER,
                        "projection": Projection.KEYS_ONLY,
                    }
                ],
                "ttl_attribute": None if retention_days is None else "expires_at_s",
                "stream": True,
                "point_in_time_recovery": args.get("point_in_time_recovery", False),
                "deletion_protection": args.get("deletion_protection", False),
            },
            child,
        )
        settings = {
            "AGGREGATOR_COMPLETION": completion,
            "AGGREGATOR_LATE": "KEEP" if args.get("keep_late_records", False) else "DROP",
            "AGGREGATOR_DUPLICATES": "REFUSE_DIFFERENT" if refuse_different else "KEEP_FIRST",
            "AGGREGATOR_LEASE_MS": str((function_timeout_s + _LEASE_BEYOND_TIMEOUT_S) * 1000),
        }
        if timeout_s is not None:
            settings["AGGREGATOR_TIMEOUT_MS"] = str(timeout_s * 1000)
        if retention_days is not None:
            settings["AGGREGATOR_RETENTION_MS"] = str(retention_days * 24 * 3600 * 1000)
        variables: dict[str, pulumi.Input[str]] = {**settings, "AGGREGATOR_TABLE": table.table_name}
        holds_libraries = args.get("code_holds_libraries", False)
        # The timeouts' code is the library's.
        needs_layer = timeout_s is not None or not holds_libraries
        layers = [runtime_layer_arn(name, args.get("runtime_layer_arn"), self)] if needs_layer else []
        function = Function(
            f"{name}-handler",
            {
                "handler": args["handler"],
                "code": args["code"],
                "layers": [] if holds_libraries else layers,
                "variables": {**args.get("variables", {}), **variables},
                "memory_mb": args.get("memory_mb", 512),
                "timeout_s": function_timeout_s,
                "log_retention_days": log_retention_days,
                "alarm_topic_arn": alarm_topic_arn,
            },
            child,
        )
        table.grant(function, "GetItem", "Query", "UpdateItem")
        if rights := args.get("rights"):
            function.allow("acts", rights)
        consumer = table.subscribe(
            function,
            filter_pattern=_COMPLETIONS,
            batch_size=args.get("batch_size", 10),
            alarm_topic_arn=alarm_topic_arn,
        )
        if timeout_s is not None:
            timeouts = Function(
                f"{name}-timeouts",
                {
                    "handler": "timeouts.handler",
                    "code": pulumi.AssetArchive({"timeouts.py": pulumi.StringAsset(_TIMEOUTS)}),
                    "layers": layers,
                    # Only records are held against a rule, and this function adds none.
                    "variables": {**variables, "AGGREGATOR_COMPLETION": "timeout"},
                    "timeout_s": 60,
                    "log_retention_days": log_retention_days,
                    "alarm_topic_arn": alarm_topic_arn,
                },
                child,
            )
            table.grant(timeouts, "UpdateItem")
            table.grant(timeouts, "Query", index=_INDEX)
            Schedule(
                f"{name}-timeout-check",
                {
                    "expression": args.get("timeout_check", "rate(1 minute)"),
                    "function_name": timeouts.function_name,
                    "function_arn": timeouts.arn,
                    "role_name": timeouts.role_name,
                    "alarm_topic_arn": alarm_topic_arn,
                },
                pulumi.ResourceOptions(parent=self, depends_on=timeouts.grants),
            )

        self._table = table
        self._variables = variables
        self.table_name = table.table_name
        self.table_arn = table.arn
        self.function_name = function.function_name
        self.role_name = function.role_name
        self.failures_queue_url = consumer.failures_queue_url
        self.variables = pulumi.Output.all(**variables)
        self.register_outputs(
            {
                "table_name": self.table_name,
                "table_arn": self.table_arn,
                "function_name": self.function_name,
                "role_name": self.role_name,
                "failures_queue_url": self.failures_queue_url,
                "variables": self.variables,
            }
        )

    @property
    def adding_variables(self) -> Mapping[str, pulumi.Input[str]]:
        """`variables` in the form `Function` takes."""
        return self._variables

    def grant_adding(self, function: Function) -> None:
        """Let a function that was given `adding_variables` add records."""
        self._table.grant(function, "GetItem", "PutItem", "UpdateItem")

    def grant_operate(self, function: Function) -> None:
        """Let a function that was given `adding_variables` read groups, list the unfinished ones and fire them."""
        using = right_on(self.table_arn, "GetItem", "Query", "UpdateItem")
        listing = right_on(self.table_arn, "Query", index=_INDEX)
        function.allow(f"operates-{self.pulumi_resource_name}", [using, listing])


def _completion(name: str, args: AggregatorArgs) -> str:
    given = [key for key in ("complete_at_count", "complete_with_kinds", "complete_by_predicate") if args.get(key)]
    if len(given) > 1:
        raise InputError("Aggregator", name, given[1], f"excludes {given[0]}: a group has one completion rule")
    count = args.get("complete_at_count")
    if count is not None:
        check_range("Aggregator", name, "complete_at_count", count, low=1, high=999_999_999)
        return f"count:{count}"
    kinds = args.get("complete_with_kinds")
    if kinds is not None:
        # Text is a sequence, too: of kinds of one letter.
        listed = [] if isinstance(kinds, str) else [*kinds]
        if not 1 <= len(listed) <= _MOST_KINDS or any(not kind or "," in kind for kind in listed):
            rule = f"must list 1..{_MOST_KINDS} kinds without commas, got {kinds}"
            raise InputError("Aggregator", name, "complete_with_kinds", rule)
        return f"kinds:{','.join(sorted(set(kinds)))}"
    if args.get("complete_by_predicate", False):
        return "predicate"
    if args.get("timeout_s") is None:
        keys = "complete_at_count, complete_with_kinds, complete_by_predicate or timeout_s"
        raise InputError("Aggregator", name, "timeout_s", f"is missing: one of {keys} must be given")
    return "timeout"
