"""Optimistic locking: a table of versioned items, and a function that works on it."""

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

import pulumi

from components.adopted_table import adopt_table
from components.function import Function
from components.grants import Statement
from components.inputs import InputError, check_inputs
from components.runtime_layer import runtime_layer_arn
from components.table import KeyType, Table, TableArgs

# What `patterns.optimistic_locking` calls, alone or inside a transaction: it never queries and never scans.
_ACTIONS = ("ConditionCheckItem", "DeleteItem", "GetItem", "PutItem", "UpdateItem")


class VersionedTableArgs(TypedDict):
    """Inputs of `VersionedTable`; all are optional."""

    hash_key: NotRequired[str]
    """Name of the partition key attribute. Default: ``id``."""
    hash_key_type: NotRequired[KeyType]
    """Type of the made table's partition key. Default: string."""
    range_key: NotRequired[str | None]
    """Name of the sort key attribute. Default: the table has none."""
    range_key_type: NotRequired[KeyType]
    """Type of the made table's sort key. Default: string."""
    handler: NotRequired[str]
    """Dotted path of a handler inside `code`. Default: the component makes no function; give the right to others with
    `grant`, or with the output `table_arn`."""
    code: NotRequired[pulumi.Archive]
    """Archive with the handler; the pattern libraries come from the layer. Goes with `handler`."""
    variables: NotRequired[Mapping[str, pulumi.Input[str]]]
    """Further environment variables of the function. Default: none."""
    rights: NotRequired[Sequence[Statement]]
    """What the function may do elsewhere, IAM actions on complete ARNs. Default: nothing."""
    memory_mb: NotRequired[int]
    """Memory of the function in MB. Default: 512."""
    function_timeout_s: NotRequired[int]
    """Longest run of the function in seconds, 1..900. Default: 30, so that retries in a crowd come to an end."""
    log_retention_days: NotRequired[int]
    """Days the function's log group keeps its events. Default: 30."""
    runtime_layer_arn: NotRequired[pulumi.Input[str] | None]
    """ARN of a `RuntimeLayer`'s version. Default: the component publishes one of its own; share one when several
    patterns live in a program."""
    table_name: NotRequired[pulumi.Input[str]]
    """Name of an existing table to use; `hash_key` and `range_key` must be its own. Its items need no migration, they
    count as version 0. Default: the component makes one."""
    table_arn: NotRequired[pulumi.Input[str]]
    """ARN of the existing table."""
    point_in_time_recovery: NotRequired[bool]
    """Whether the made table can be restored to any second of the last 35 days. Default: false."""
    deletion_protection: NotRequired[bool]
    """Whether AWS and Pulumi refuse to delete the made table. Default: false."""
    alarm_topic_arn: NotRequired[pulumi.Input[str] | None]
    """SNS topic for the function's alarms. Default: the alarms are only shown in CloudWatch."""


class VersionedTable(pulumi.ComponentResource):
    """A table whose items carry a version, and a function with exactly the rights the library needs on it."""

    table_name: pulumi.Output[str]
    """Name of the table."""
    table_arn: pulumi.Output[str]
    """ARN of the table."""
    function_name: pulumi.Output[str]
    """Name of the function; empty without one."""
    function_arn: pulumi.Output[str]
    """ARN of the function; empty without one."""
    role_name: pulumi.Output[str]
    """Name of the function's role, for further rights of its own; empty without one."""
    variables: pulumi.Output[dict[str, str]]
    """Environment variables for other functions that use the table: what `VersionedTableEnvironment` reads."""

    def __init__(self, name: str, args: VersionedTableArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:VersionedTable", name, {}, opts)
        check_inputs("VersionedTable", name, args, VersionedTableArgs)
        hash_key, range_key = args.get("hash_key", "id"), args.get("range_key")
        child = pulumi.ResourceOptions(parent=self)

        adopted = adopt_table("VersionedTable", name, args, self)
        if adopted is None:
            items: TableArgs = {
                "hash_key": hash_key,
                "hash_key_type": args.get("hash_key_type", KeyType.STRING),
                "range_key_type": args.get("range_key_type", KeyType.STRING),
                "point_in_time_recovery": args.get("point_in_time_recovery", False),
                "deletion_protection": args.get("deletion_protection", False),
            }
            if range_key is not None:
                items["range_key"] = range_key
            self._table = Table(f"{name}-items", items, child)
        else:
            self._table = adopted
        self._variables: dict[str, pulumi.Input[str]] = {
            "VERSIONED_TABLE_NAME": self._table.table_name,
            "VERSIONED_TABLE_PARTITION_KEY": hash_key,
            **({} if range_key is None else {"VERSIONED_TABLE_SORT_KEY": range_key}),
        }
        function = self._function(name, args, child)

        nothing = pulumi.Output.from_input("")
        self.table_name = self._table.table_name
        self.table_arn = self._table.arn
        self.function_name = nothing if function is None else function.function_name
        self.function_arn = nothing if function is None else function.arn
        self.role_name = nothing if function is None else function.role_name
        self.variables = pulumi.Output.all(**self._variables)
        self.register_outputs(
            {
                "table_name": self.table_name,
                "table_arn": self.table_arn,
                "function_name": self.function_name,
                "function_arn": self.function_arn,
                "role_name": self.role_name,
                "variables": self.variables,
            }
        )

    @property
    def function_variables(self) -> Mapping[str, pulumi.Input[str]]:
        """`variables` in the form `Function` takes."""
        return self._variables

    def grant(self, function: Function) -> None:
        """Let another function, one that was given `function_variables`, use the table."""
        self._table.grant(function, *_ACTIONS)

    def _function(self, name: str, args: VersionedTableArgs, child: pulumi.ResourceOptions) -> Function | None:
        handler, code = args.get("handler"), args.get("code")
        if (handler is None) != (code is None):
            missing = "code" if code is None else "handler"
            raise InputError("VersionedTable", name, missing, "is missing: handler and code must be given together")
        if handler is None or code is None:
            return None
        function = Function(
            f"{name}-handler",
            {
                "handler": handler,
                "code": code,
                "layers": [runtime_layer_arn(name, args.get("runtime_layer_arn"), self)],
                "variables": {**args.get("variables", {}), **self._variables},
                "memory_mb": args.get("memory_mb", 512),
                "timeout_s": args.get("function_timeout_s", 30),
                "log_retention_days": args.get("log_retention_days", 30),
                "alarm_topic_arn": args.get("alarm_topic_arn"),
            },
            child,
        )
        self.grant(function)
        if rights := args.get("rights"):
            function.allow("works", rights)
        return function
