"""Table → stream → recorder → history: every write to a table as a version that nobody can change."""

from collections.abc import Mapping
from typing import NotRequired, TypedDict

import pulumi

from components.adopted_table import AdoptedTable, adopt_table
from components.archive_bucket import ArchiveBucket, grant_objects
from components.code_archive import code_archive
from components.function import Function
from components.inputs import InputError, check_inputs, check_range
from components.runtime_layer import runtime_layer_arn
from components.stream_consumer import StreamConsumer
from components.table import KeyType, Projection, Table, TableArgs, TableIndexArgs

ACTOR_INDEX = "by-actor"
"""Name of the history's index of actors."""

EXPIRES_AT = "expires_at_s"
"""Time-to-live attribute of the history."""

NO_BUCKET = "-"
"""Stands for the name of an archive where there is none."""

_RECORDER = "patterns.historic.recorder_function.handler"
# A history gives a record up only when the stream itself would: after the 24 hours that DynamoDB keeps it.
_STREAM_RETENTION_S = 86_400
_MOST_RETRIES = 10_000


class HistoricArgs(TypedDict):
    """Inputs of `Historic`."""

    source_name: str
    """What the source table is called in the history: its role, such as ``accounts``. Never change it."""
    hash_key: str
    """Name of the source table's partition key attribute."""
    range_key: NotRequired[str | None]
    """Name of the source table's sort key attribute. Default: it has none."""
    table_name: NotRequired[pulumi.Input[str] | None]
    """Name of an existing source table, with the next two. Default: the component creates one with text keys."""
    table_arn: NotRequired[pulumi.Input[str] | None]
    """ARN of the existing source table."""
    table_stream_arn: NotRequired[pulumi.Input[str] | None]
    """ARN of its change stream, which must carry new and old images; a stream has at most two readers."""
    history_table_name: NotRequired[pulumi.Input[str] | None]
    """Name of the history table of another `Historic` to share, with its ARN. Default: the component creates one."""
    history_table_arn: NotRequired[pulumi.Input[str] | None]
    """ARN of the history table to share."""
    hot_days: NotRequired[int | None]
    """Days that versions stay in DynamoDB, 7..36500; a bucket of S3 has all of them from the beginning, for ever.
    Once given, change the number, but never take it away. Default: no bucket, all versions stay in DynamoDB."""
    archive_cold_after_days: NotRequired[int | None]
    """Days after which archived versions above 128 KB move to a colder storage class, 1..36500. Default: none moves."""
    archive_bucket_name: NotRequired[pulumi.Input[str] | None]
    """Name of the bucket that belongs to a shared history with ``hot_days``, with its ARN."""
    archive_bucket_arn: NotRequired[pulumi.Input[str] | None]
    """ARN of that bucket."""
    handler: NotRequired[str]
    """Dotted path of a recorder of your own inside ``code``. Default: the library's, which reads signed attributes."""
    code: NotRequired[pulumi.Archive]
    """Archive with that handler; the pattern libraries come from a layer."""
    code_holds_libraries: NotRequired[bool]
    """Whether ``code`` has the pattern libraries in it, so that no layer is needed. Default: false."""
    variables: NotRequired[Mapping[str, pulumi.Input[str]]]
    """Further environment variables of the recorder, such as ``HISTORY_ACTOR_ATTRIBUTE``. Default: none."""
    runtime_layer_arn: NotRequired[pulumi.Input[str] | None]
    """ARN of a `RuntimeLayer`'s version for a handler of your own. Default: the component publishes one of its own;
    share one when several patterns live in a program."""
    filter_pattern: NotRequired[str | None]
    """Event filter as JSON for items that need no history. It must look at the key only: a filter that lets some
    writes of an item through makes gaps. Default: every item."""
    batch_size: NotRequired[int]
    """Most records per invocation, 1..10000. Default: 100."""
    parallelization: NotRequired[int]
    """Invocations at a time per shard, 1..10; an item's records stay in order. Default: 1."""
    point_in_time_recovery: NotRequired[bool]
    """Whether created tables can be restored to any second of the last 35 days. Default: true."""
    deletion_protection: NotRequired[bool]
    """Whether AWS and Pulumi both refuse to delete created tables. Default: true."""
    log_retention_days: NotRequired[int]
    """How long the recorder's log group keeps its events. Default: 30."""
    alarm_topic_arn: NotRequired[pulumi.Input[str] | None]
    """SNS topic for alarms: recorder errors, lag, records given up. Default: they are only shown in CloudWatch."""


class Historic(pulumi.ComponentResource):
    """A history table and the function that fills it from a table's stream.

    The recorder may read the history and insert into it, but not replace what is there, and so it may with the archive;
    the component grants nobody an update or a deletion.
    """

    table_name: pulumi.Output[str]
    """Physical name of the source table."""
    table_arn: pulumi.Output[str]
    """ARN of the source table."""
    history_table_name: pulumi.Output[str]
    """Physical name of the history table."""
    history_table_arn: pulumi.Output[str]
    """ARN of the history table: what readers are granted ``dynamodb:Query`` on."""
    actor_index_arn: pulumi.Output[str]
    """ARN of the history's index of actors."""
    function_name: pulumi.Output[str]
    """Physical name of the recorder."""
    role_name: pulumi.Output[str]
    """Physical name of the recorder's role: for further grants."""
    archive_bucket_name: pulumi.Output[str]
    """Physical name of the archive's bucket, ``-`` without one: what readers get as ``HISTORY_ARCHIVE_BUCKET``."""
    archive_bucket_arn: pulumi.Output[str]
    """ARN of the archive's bucket, ``-`` without one."""
    failures_queue_url: pulumi.Output[str]
    """URL of the queue with the positions of records given up; they can be re-driven while the stream holds them."""

    def __init__(self, name: str, args: HistoricArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:Historic", name, {}, opts)
        check_inputs("Historic", name, args, HistoricArgs)
        child = pulumi.ResourceOptions(parent=self)
        range_key = args.get("range_key")
        alarm_topic_arn = args.get("alarm_topic_arn")

        source = adopt_table("Historic", name, args, self, stream=True) or _source_table(name, args, child)
        history = _history_table(name, args, self)
        hot_days = args.get("hot_days")
        archive = _archive(name, args, child)
        self.archive_bucket_name, self.archive_bucket_arn = archive
        recorder = Function(
            f"{name}-recorder",
            {
                **_recorder_code(name, args, self),
                "variables": {
                    "HISTORY_TABLE": history.table_name,
                    "HISTORY_SOURCE": args["source_name"],
                    "HISTORY_HASH_KEY": args["hash_key"],
                    **({} if range_key is None else {"HISTORY_RANGE_KEY": range_key}),
                    "HISTORY_ARCHIVE_BUCKET": self.archive_bucket_name,
                    "HISTORY_HOT_DAYS": str(hot_days or 0),
                    **args.get("variables", {}),
                },
                "timeout_s": 60,
                "log_retention_days": args.get("log_retention_days", 30),
                "alarm_topic_arn": alarm_topic_arn,
            },
            child,
        )
        history.grant(recorder, "PartiQLInsert", "Query")
        self._name = name
        self._has_archive = hot_days is not None
        if self._has_archive:
            grant_objects(f"{name}-archive", self.archive_bucket_arn, recorder, "GetObject", "PutObject")
        self._recorder = recorder
        self._args = args
        subscription = self._subscribe(f"{name}-changes", source.stream_arn, args.get("filter_pattern"))

        self._history = history
        self.table_name = source.table_name
        self.table_arn = source.arn
        self.history_table_name = history.table_name
        self.history_table_arn = history.arn
        self.actor_index_arn = pulumi.Output.concat(history.arn, "/index/", ACTOR_INDEX)
        self.function_name = recorder.function_name
        self.role_name = recorder.role_name
        self.failures_queue_url = subscription.failures_queue_url
        self.register_outputs(
            {
                "table_name": self.table_name,
                "table_arn": self.table_arn,
                "history_table_name": self.history_table_name,
                "history_table_arn": self.history_table_arn,
                "actor_index_arn": self.actor_index_arn,
                "function_name": self.function_name,
                "role_name": self.role_name,
                "archive_bucket_name": self.archive_bucket_name,
                "archive_bucket_arn": self.archive_bucket_arn,
                "failures_queue_url": self.failures_queue_url,
            }
        )

    def record(
        self, name: str, table_stream_arn: pulumi.Input[str], *, filter_pattern: str | None = None
    ) -> StreamConsumer:
        """Send the changes of one more table to the recorder, under the limits of the first.

        For a recorder of your own that tells its tables apart: one function, one history, one archive.

        Parameters
        ----------
        name
            Logical name of the subscription.
        table_stream_arn
            ARN of the table's change stream, which must carry new and old images.
        filter_pattern
            As in the inputs.
        """
        if self._args.get("handler") is None:
            rule = "must be a recorder of your own: the library's records one table"
            raise InputError("Historic", self._name, "handler", rule)
        return self._subscribe(name, table_stream_arn, filter_pattern)

    def grant_read(self, function: Function, *, by_actor: bool = True) -> None:
        """Let a function ask the history: all questions but the one that scans it, `all_as_of`.

        Parameters
        ----------
        function
            Who may.
        by_actor
            Whether it may ask for an actor's changes, too, which takes two rights more.
        """
        if by_actor:
            self._history.grant(function, "Query", "GetItem")
            self._history.grant(function, "Query", index=ACTOR_INDEX)
        else:
            self._history.grant(function, "Query")
        if self._has_archive:
            grant_objects(f"{self._name}-archive", self.archive_bucket_arn, function, "GetObject")

    def _subscribe(self, name: str, table_stream_arn: pulumi.Input[str], filter_pattern: str | None) -> StreamConsumer:
        return StreamConsumer(
            name,
            {
                "function_name": self._recorder.function_name,
                "role_name": self._recorder.role_name,
                "table_stream_arn": table_stream_arn,
                "filter_pattern": filter_pattern,
                "batch_size": self._args.get("batch_size", 100),
                "parallelization": self._args.get("parallelization", 1),
                "max_retries": _MOST_RETRIES,
                "max_record_age_s": _STREAM_RETENTION_S,
                "alarm_topic_arn": self._args.get("alarm_topic_arn"),
            },
            pulumi.ResourceOptions(parent=self, depends_on=self._recorder.grants),
        )


def _source_table(name: str, args: HistoricArgs, child: pulumi.ResourceOptions) -> Table:
    table: TableArgs = {
        "hash_key": args["hash_key"],
        "stream": True,
        "point_in_time_recovery": args.get("point_in_time_recovery", True),
        "deletion_protection": args.get("deletion_protection", True),
    }
    range_key = args.get("range_key")
    if range_key is not None:
        table["range_key"] = range_key
    return Table(f"{name}-source", table, child)


def _history_table(name: str, args: HistoricArgs, parent: pulumi.Resource) -> Table | AdoptedTable:
    table_name, table_arn = args.get("history_table_name"), args.get("history_table_arn")
    if (table_name is None) != (table_arn is None):
        missing = "history_table_name" if table_name is None else "history_table_arn"
        raise InputError("Historic", name, missing, "is missing: a shared history is given by name and ARN")
    if table_name is not None and table_arn is not None:
        return AdoptedTable(f"{name}-history", table_name=table_name, table_arn=table_arn, parent=parent)
    actors: TableIndexArgs = {
        "name": ACTOR_INDEX,
        "hash_key": "actor",
        "range_key": "at_ms",
        "range_key_type": KeyType.NUMBER,
        "projection": Projection.KEYS_ONLY,
    }
    return Table(
        f"{name}-history",
        {
            "hash_key": "collection",
            "range_key": "version_key",
            "indexes": [actors],
            "ttl_attribute": None if args.get("hot_days") is None else EXPIRES_AT,
            "point_in_time_recovery": args.get("point_in_time_recovery", True),
            "deletion_protection": args.get("deletion_protection", True),
        },
        pulumi.ResourceOptions(parent=parent),
    )


def _archive(
    name: str, args: HistoricArgs, child: pulumi.ResourceOptions
) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
    """Name and ARN of the archive's bucket."""
    hot_days, cold_after_days = args.get("hot_days"), args.get("archive_cold_after_days")
    bucket_name, bucket_arn = args.get("archive_bucket_name"), args.get("archive_bucket_arn")
    shared = args.get("history_table_name") is not None
    if hot_days is None:
        for key in ("archive_cold_after_days", "archive_bucket_name", "archive_bucket_arn"):
            if args.get(key) is not None:
                raise InputError("Historic", name, key, "is of no use without hot_days")
        return pulumi.Output.from_input(NO_BUCKET), pulumi.Output.from_input(NO_BUCKET)
    check_range("Historic", name, "hot_days", hot_days, low=7, high=36_500)
    if shared and (bucket_name is None or bucket_arn is None):
        missing = "archive_bucket_name" if bucket_name is None else "archive_bucket_arn"
        raise InputError("Historic", name, missing, "is missing: a shared history has one archive, by name and ARN")
    if bucket_name is not None and bucket_arn is not None and shared:
        return pulumi.Output.from_input(bucket_name), pulumi.Output.from_input(bucket_arn)
    if bucket_name is not None or bucket_arn is not None:
        raise InputError("Historic", name, "archive_bucket_name", "is of a shared history: give history_table_name too")
    bucket = ArchiveBucket(
        f"{name}-archive",
        {"deletion_protection": args.get("deletion_protection", True), "cold_after_days": cold_after_days},
        child,
    )
    return bucket.bucket_name, bucket.arn


class _RecorderCode(TypedDict):
    handler: str
    code: pulumi.Archive
    layers: NotRequired[list[pulumi.Input[str]]]


def _recorder_code(name: str, args: HistoricArgs, parent: pulumi.Resource) -> _RecorderCode:
    handler, code = args.get("handler"), args.get("code")
    if (handler is None) != (code is None):
        missing = "handler" if handler is None else "code"
        raise InputError("Historic", name, missing, "is missing: a recorder of your own is given by handler and code")
    if handler is None or code is None:
        return {"handler": _RECORDER, "code": code_archive(_RECORDER)}
    if args.get("code_holds_libraries", False):
        return {"handler": handler, "code": code}
    layer = runtime_layer_arn(name, args.get("runtime_layer_arn"), parent)
    return {"handler": handler, "code": code, "layers": [layer]}
