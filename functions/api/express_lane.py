"""The express lane: a stored order goes straight to the order stream, instead of waiting for the pipe to poll for it.

It is best effort. The pipe brings the same change a moment later, whatever becomes of this copy, and the matcher
handles an order once: so a silent stream is not waited for, and no failure reaches the player.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from functions.observability import counted
from functions.tracing import span
from patterns.dynamodb.client import LEAN_CONFIG, shared_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from aws_lambda_powertools.logging import Logger
    from types_boto3_kinesis import KinesisClient

    from functions.clock import Clock
    from market.tracing import Origin

SOURCE: Final = "market:express"
"""What a record says it comes from; the pipe's says ``aws:dynamodb``."""

_PAUSE_MS: Final = 1000
_LONGEST_REQUEST_MS: Final = 2000
_CONFIG: Final = LEAN_CONFIG.merge(
    Config(
        # Seconds. The pipe takes about one: who waits longer for an answer gains nothing.
        connect_timeout=0.25,
        read_timeout=0.5,
        retries={"mode": "standard", "total_max_attempts": 1},
        parameter_validation=False,
    )
)


def kinesis_client() -> KinesisClient:
    """Return a client that fails fast and does not try again by itself."""
    return cast("KinesisClient", shared_session().create_client("kinesis", config=_CONFIG))  # pyright: ignore[reportUnknownMemberType]


class ExpressLane:
    """Puts changes of orders on the order stream, as the pipes do, for one request after the other.

    After a put without an answer there are none for a second, so that a silent stream costs a request, or a player who
    cancels two hundred orders, one timeout. What a request changes more than two seconds after its first put is left to
    the pipe, so that a stream that is only slow does not keep that player waiting either.

    Parameters
    ----------
    client, stream_name
        The stream.
    clock
        Epoch ms.
    logger
        Gets a line for each change that was not put, which counts in the metric ``ExpressFailures``.
    """

    def __init__(self, client: KinesisClient, stream_name: str, clock: Clock, logger: Logger) -> None:
        self._client = client
        self._stream_name = stream_name
        self._clock = clock
        self._logger = logger
        self._silent_at_ms = -_PAUSE_MS
        self._request: tuple[Origin, int] | None = None  # with the time of its first put

    def put(
        self, event: Literal["INSERT", "MODIFY"], image: Mapping[str, Any], keys: Iterable[str], origin: Origin
    ) -> None:
        """Put a change that is stored; never raises.

        Parameters
        ----------
        event
            What happened to the item.
        image
            The item afterwards, in DynamoDB's attribute form, material included.
        keys
            Names of its table's key attributes.
        origin
            The request that changed it.
        """
        now_ms = self._clock()
        if 0 <= now_ms - self._silent_at_ms < _PAUSE_MS:  # a clock that is set back pauses nothing
            self._failed("Paused")
            return
        if self._request is None or self._request[0] is not origin:
            self._request = origin, now_ms
        if now_ms - self._request[1] > _LONGEST_REQUEST_MS:
            self._failed("Late")
            return
        try:
            change = {"NewImage": image, "Keys": {name: image[name] for name in keys}}
            trace = {**origin._asdict(), "put_at_ms": now_ms}
            record = {"eventSource": SOURCE, "eventName": event, "dynamodb": change, "trace": trace}
            with span("express", trace_id=origin.trace_id):
                self._send(json.dumps(record, separators=(",", ":")).encode(), image["material"]["S"])
        except ClientError as error:
            self._failed(str(error.response.get("Error", {}).get("Code")))
        except Exception as error:  # whatever it is, the order is stored, and the pipe brings it
            self._silent_at_ms = self._clock()
            self._failed(type(error).__name__)

    def _send(self, data: bytes, material: str) -> None:
        try:
            self._client.put_record(StreamName=self._stream_name, Data=data, PartitionKey=material)
        except ConnectionClosedError:  # a kept connection that the stream had closed meanwhile, as while Lambda slept
            self._client.put_record(StreamName=self._stream_name, Data=data, PartitionKey=material)

    def _failed(self, reason: str) -> None:
        count = counted("ExpressFailures", 1, self._clock())
        self._logger.warning("left to the pipe", extra={"reason": reason, **count})


def express_lane(
    stream_name: str | None, client: Callable[[], KinesisClient], clock: Clock, logger: Logger
) -> ExpressLane | None:
    """Return the express lane to a stream, None if there is no stream to put orders on."""
    return None if stream_name is None else ExpressLane(client(), stream_name, clock, logger)
