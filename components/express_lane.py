"""The express lane: a function that stores orders also puts them on their stream itself, ahead of the pipe."""

import pulumi

from components.function import Function
from components.kinesis_stream import KinesisStream


def open_express_lane(api: Function, orders: KinesisStream, alarm_topic_arn: pulumi.Input[str]) -> None:
    """Let a function put orders on their stream, and watch that it does.

    Parameters
    ----------
    api
        The function; its variable ``ORDERS_STREAM_NAME`` is the stream's name.
    orders
        The stream.
    alarm_topic_arn
        SNS topic to notify when orders are left to the pipe for minutes: nothing is lost, but the market is slow.
    """
    orders.grant(api, "PutRecord")
    api.watch(
        "express-failures",
        "ExpressFailures",
        "leaves orders to the pipe: they reach the matcher a second later; read its log group",
        alarm_topic_arn,
    )
