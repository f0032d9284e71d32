"""A DynamoDB table that somebody else made, with the verbs of `components.table.Table`."""

from collections.abc import Mapping
from typing import Any

import pulumi

from components.function import Function
from components.inputs import InputError, given_together
from components.stream_consumer import StreamConsumer
from components.table_uses import grant_use, subscribe_to_changes


class AdoptedTable:
    """A table somebody else made, with the verbs of `Table`.

    Parameters
    ----------
    name
        Logical name, for the rights and subscriptions made through it.
    table_name, table_arn
        The table's physical name and ARN.
    table_stream_arn
        ARN of its change stream, which must carry new and old images; ``None`` if nothing subscribes to it.
    parent
        Owner of the subscriptions.
    """

    def __init__(
        self,
        name: str,
        *,
        table_name: pulumi.Input[str],
        table_arn: pulumi.Input[str],
        table_stream_arn: pulumi.Input[str] | None = None,
        parent: pulumi.Resource,
    ) -> None:
        self.table_name = pulumi.Output.from_input(table_name)
        self.arn = pulumi.Output.from_input(table_arn)
        self.stream_arn = pulumi.Output.from_input("" if table_stream_arn is None else table_stream_arn)
        self._name = name
        self._has_stream = table_stream_arn is not None
        self._parent = parent

    def grant(self, function: Function, *actions: str, index: str | None = None) -> None:
        """Let a function use the table, as `Table.grant`."""
        grant_use(self._name, self.arn, function, actions, index)

    def subscribe(
        self,
        function: Function,
        *,
        filter_pattern: str | None = None,
        batch_size: int = 100,
        alarm_topic_arn: pulumi.Input[str] | None = None,
    ) -> StreamConsumer:
        """Send the table's changes to a function, as `Table.subscribe`."""
        if not self._has_stream:
            raise InputError("AdoptedTable", self._name, "table_stream_arn", "is missing: a function subscribes to it")
        return subscribe_to_changes(
            self._name,
            self.stream_arn,
            function,
            self._parent,
            filter_pattern=filter_pattern,
            batch_size=batch_size,
            alarm_topic_arn=alarm_topic_arn,
        )


def adopt_table(
    component: str, name: str, args: Mapping[str, Any], parent: pulumi.Resource, *, stream: bool = False
) -> AdoptedTable | None:
    """Find out whether a component shall use an existing table.

    Parameters
    ----------
    component, name
        Type and logical name of the component.
    args
        Its inputs, of which ``table_name``, ``table_arn`` and, with ``stream``, ``table_stream_arn`` are read.
    parent
        The component.
    stream
        Whether the component subscribes to the table's changes.

    Returns
    -------
    AdoptedTable or None
        The table, or ``None`` if the component shall make one.

    Raises
    ------
    InputError
        Some of the inputs are given, but not all of them.
    """
    needed = ["table_name", "table_arn", *(["table_stream_arn"] if stream else [])]
    if not given_together(component, name, args, needed):
        return None
    return AdoptedTable(
        f"{name}-table",
        table_name=args["table_name"],
        table_arn=args["table_arn"],
        table_stream_arn=args["table_stream_arn"] if stream else None,
        parent=parent,
    )
