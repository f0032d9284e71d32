"""A DynamoDB table with verbs for everything the house does with one."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NotRequired, TypedDict

import pulumi
import pulumi_aws as aws

from components.edges import edge_name
from components.function import Function
from components.inputs import InputError, check_inputs
from components.kinesis_stream import KinesisStream
from components.pipe import Pipe
from components.stream_consumer import StreamConsumer
from components.table_uses import grant_use, subscribe_to_changes


class KeyType(StrEnum):
    """Type of a key attribute."""

    STRING = "S"
    """Text, ordered by its UTF-8 bytes."""
    NUMBER = "N"
    """A number, ordered by value."""


class Projection(StrEnum):
    """What an index copies from the table."""

    ALL = "ALL"
    """Every attribute."""
    KEYS_ONLY = "KEYS_ONLY"
    """The keys of table and index."""
    INCLUDE = "INCLUDE"
    """The keys and the listed attributes."""


class TableIndexArgs(TypedDict):
    """A global secondary index of a `Table`. Items without its keys are not in it and cost it nothing."""

    name: str
    """Name of the index."""
    hash_key: str
    """Name of its partition key attribute."""
    hash_key_type: NotRequired[KeyType]
    """Type of the partition key. Default: string."""
    range_key: NotRequired[str]
    """Name of its sort key attribute. Default: the index has none."""
    range_key_type: NotRequired[KeyType]
    """Type of the sort key. Default: string."""
    projection: NotRequired[Projection]
    """What the index copies from the table. Default: every attribute."""
    projected_attributes: NotRequired[Sequence[str]]
    """Names of the attributes copied with projection ``INCLUDE``."""


class TableArgs(TypedDict):
    """Inputs of `Table`."""

    hash_key: str
    """Name of the partition key attribute."""
    hash_key_type: NotRequired[KeyType]
    """Type of the partition key. Default: string."""
    range_key: NotRequired[str]
    """Name of the sort key attribute. Default: the table has none."""
    range_key_type: NotRequired[KeyType]
    """Type of the sort key. Default: string."""
    indexes: NotRequired[Sequence[TableIndexArgs]]
    """Global secondary indexes. Default: none."""
    ttl_attribute: NotRequired[str | None]
    """Name of the attribute with the epoch second after which DynamoDB deletes an item. Default: none expires."""
    stream: NotRequired[bool]
    """Whether changes are published with old and new image. Default: false."""
    point_in_time_recovery: bool
    """Whether the table can be restored to any second of the last 35 days."""
    deletion_protection: bool
    """Whether AWS and Pulumi both refuse to delete the table, and keep it when it leaves the program."""


class Table(pulumi.ComponentResource):
    """An on-demand, KMS-encrypted DynamoDB table."""

    arn: pulumi.Output[str]
    """ARN of the table."""
    table_name: pulumi.Output[str]
    """Physical name of the table."""
    stream_arn: pulumi.Output[str]
    """ARN of the change stream; empty without one."""

    def __init__(self, name: str, args: TableArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:Table", name, {}, opts)
        check_inputs("Table", name, args, TableArgs)
        indexes = args.get("indexes", [])
        ttl_attribute = args.get("ttl_attribute")
        _check_indexes(name, indexes)
        key_types = _key_types(name, args, indexes)
        protected = args["deletion_protection"]
        self._has_stream = args.get("stream", False)

        table = aws.dynamodb.Table(
            f"{name}-table",
            billing_mode="PAY_PER_REQUEST",
            hash_key=args["hash_key"],
            range_key=args.get("range_key"),
            attributes=[{"name": key, "type": type_} for key, type_ in key_types.items()],
            global_secondary_indexes=[_index(index) for index in indexes] or None,
            ttl=None if ttl_attribute is None else {"attribute_name": ttl_attribute, "enabled": True},
            server_side_encryption={"enabled": True},
            point_in_time_recovery={"enabled": args["point_in_time_recovery"]},
            deletion_protection_enabled=protected,
            stream_enabled=self._has_stream,
            stream_view_type="NEW_AND_OLD_IMAGES" if self._has_stream else None,
            opts=pulumi.ResourceOptions(parent=self, protect=protected, retain_on_delete=protected),
        )

        self.arn = table.arn
        self.table_name = table.name
        self.stream_arn = table.stream_arn
        self.register_outputs({"arn": self.arn, "table_name": self.table_name, "stream_arn": self.stream_arn})

    def grant(self, function: Function, *actions: str, index: str | None = None) -> None:
        """Let a function use the table.

        Parameters
        ----------
        function
            Who may.
        actions
            DynamoDB actions without their prefix, such as ``Query``. A transaction needs the actions of its items.
        index
            Name of a global secondary index the right is for; ``None`` for the table itself.
        """
        grant_use(self.pulumi_resource_name, self.arn, function, actions, index)

    def subscribe(
        self,
        function: Function,
        *,
        filter_pattern: str | None = None,
        batch_size: int = 100,
        alarm_topic_arn: pulumi.Input[str] | None = None,
    ) -> StreamConsumer:
        """Send the table's changes to a function, in order per item.

        Parameters
        ----------
        function
            Handler that reports partial batch failures.
        filter_pattern
            Event filter as JSON; ``None`` sends every change.
        batch_size
            Most changes per invocation.
        alarm_topic_arn
            SNS topic for the subscription's alarms.
        """
        self._require_stream()
        return subscribe_to_changes(
            self.pulumi_resource_name,
            self.stream_arn,
            function,
            self,
            filter_pattern=filter_pattern,
            batch_size=batch_size,
            alarm_topic_arn=alarm_topic_arn,
        )

    def pipe_to(
        self,
        stream: KinesisStream,
        *,
        filter_pattern: str,
        partition_key: str,
        log_retention_days: int,
        start_after: pulumi.Input[str] | None = None,
        alarm_topic_arn: pulumi.Input[str] | None = None,
    ) -> Pipe:
        """Copy the table's changes to a Kinesis stream, unchanged and in order per item.

        Parameters
        ----------
        stream
            Where the changes go.
        filter_pattern
            Event filter as JSON.
        partition_key
            JSON path into the change, such as ``$.dynamodb.NewImage.material.S``.
        log_retention_days
            How long the pipe's log group keeps its events.
        start_after
            A value known only once the pipe may start, such as the id of the target's reader.
        alarm_topic_arn
            SNS topic for the pipe's alarms.
        """
        self._require_stream()
        return Pipe(
            edge_name(self.pulumi_resource_name, stream.pulumi_resource_name),
            {
                "table_stream_arn": self.stream_arn,
                "kinesis_stream_arn": stream.arn,
                "filter_pattern": filter_pattern,
                "partition_key": partition_key,
                "log_retention_days": log_retention_days,
                "start_after": start_after,
                "alarm_topic_arn": alarm_topic_arn,
            },
            pulumi.ResourceOptions(parent=self),
        )

    def _require_stream(self) -> None:
        if not self._has_stream:
            raise InputError(
                "Table", self.pulumi_resource_name, "stream", "must be true to subscribe or pipe from the table"
            )


def _check_indexes(name: str, indexes: Sequence[TableIndexArgs]) -> None:
    names: set[str] = set()
    for index in indexes:
        if index["name"] in names:
            raise InputError("Table", name, "indexes", f"must have unique names, got {index['name']} twice")
        names.add(index["name"])
        projection = index.get("projection", Projection.ALL)
        if projection not in tuple(Projection):
            rule = f"must project ALL, KEYS_ONLY or INCLUDE, got {projection} for {index['name']}"
            raise InputError("Table", name, "indexes", rule)
        if (projection == Projection.INCLUDE) != bool(index.get("projected_attributes")):
            rule = f"must list projected_attributes with INCLUDE, and only with it, for {index['name']}"
            raise InputError("Table", name, "indexes", rule)


def _key_types(name: str, args: TableArgs, indexes: Sequence[TableIndexArgs]) -> dict[str, str]:
    """Key attribute → type. DynamoDB wants each attribute once, whatever number of keys it is part of."""
    types: dict[str, str] = {}
    for keys, where in ((args, ""), *((index, f" of index {index['name']}") for index in indexes)):
        for key, type_ in (
            (keys["hash_key"], keys.get("hash_key_type", KeyType.STRING)),
            (keys.get("range_key"), keys.get("range_key_type", KeyType.STRING)),
        ):
            if key is None:
                continue
            if type_ not in tuple(KeyType):
                role = "hash_key_type" if key == keys["hash_key"] else "range_key_type"
                raise InputError("Table", name, role, f"must be S or N, got {type_}{where}")
            if types.setdefault(key, str(type_)) != type_:
                raise InputError("Table", name, "indexes", f"must use one type for {key}, got {types[key]} and {type_}")
    return types


def _index(index: TableIndexArgs) -> aws.dynamodb.TableGlobalSecondaryIndexArgs:
    keys = [("HASH", index["hash_key"]), ("RANGE", index.get("range_key"))]
    return aws.dynamodb.TableGlobalSecondaryIndexArgs(
        name=index["name"],
        key_schemas=[
            aws.dynamodb.TableGlobalSecondaryIndexKeySchemaArgs(key_type=kind, attribute_name=key)
            for kind, key in keys
            if key is not None
        ],
        projection_type=str(index.get("projection", Projection.ALL)),
        non_key_attributes=index.get("projected_attributes"),
    )
