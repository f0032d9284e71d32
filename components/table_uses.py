"""What functions do with a table, made here or adopted: the rights, and the subscription to its changes."""

from collections.abc import Sequence

import pulumi

from components.edges import edge_name
from components.function import Function
from components.grants import Statement
from components.inputs import InputError
from components.stream_consumer import StreamConsumer


def right_on(table_arn: pulumi.Output[str], *actions: str, index: str | None = None) -> Statement:
    """Return the right to use a table, for a policy that has a name of its own.

    Parameters
    ----------
    table_arn
        ARN of the table.
    actions, index
        As for `Table.grant`.
    """
    resource = table_arn if index is None else pulumi.Output.concat(table_arn, "/index/", index)
    return {"actions": [f"dynamodb:{action}" for action in actions], "resources": [resource]}


def grant_use(
    table: str, arn: pulumi.Output[str], function: Function, actions: Sequence[str], index: str | None
) -> None:
    """Let a function use a table, by the policy that is named after the table (and index).

    Parameters
    ----------
    table
        Logical name of the table.
    arn
        Its ARN.
    function, actions, index
        As for `Table.grant`.

    Raises
    ------
    InputError
        There is no action.
    """
    if not actions:
        raise InputError("Table", table, "actions", "must list at least one DynamoDB action")
    right = right_on(arn, *actions, index=index)
    function.allow(f"uses-{table}" if index is None else f"uses-{table}-{index}", [right])


def subscribe_to_changes(
    table: str,
    stream_arn: pulumi.Output[str],
    function: Function,
    parent: pulumi.Resource,
    *,
    filter_pattern: str | None,
    batch_size: int,
    alarm_topic_arn: pulumi.Input[str] | None,
) -> StreamConsumer:
    """Send a table's changes to a function, in order per item.

    Parameters
    ----------
    table
        Logical name of the table.
    stream_arn
        ARN of its change stream.
    parent
        Owner of the subscription.
    function, filter_pattern, batch_size, alarm_topic_arn
        As for `Table.subscribe`.
    """
    return StreamConsumer(
        edge_name(table, function.pulumi_resource_name),
        {
            "function_name": function.function_name,
            "role_name": function.role_name,
            "table_stream_arn": stream_arn,
            "filter_pattern": filter_pattern,
            "batch_size": batch_size,
            "alarm_topic_arn": alarm_topic_arn,
        },
        pulumi.ResourceOptions(parent=parent, depends_on=function.grants),
    )
