"""Which streams are written: told by the emulator's process, so that whoever delivers need not ask.

The telling end is in the emulator: a line with the stream's ARN for every write of a Kinesis stream or of a table with
a change stream. It is a hint. A line may be lost while the pipe is full; the records are in the stream.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_READ_BYTES = 65_536


class _Teller:
    """Collects what one turn of the event loop writes: the actions of a transaction are one line a stream."""

    def __init__(self, pipe: int) -> None:
        os.set_blocking(pipe, False)
        self._pipe = pipe
        self._written: set[str] = set()

    def tell(self, stream_arn: str) -> None:
        first = not self._written
        self._written.add(stream_arn)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # the emulator's own threads, which expire items
            self._flush()
            return
        if first:
            loop.call_soon(self._flush)

    def _flush(self) -> None:
        arns: list[str] = []
        while self._written:
            arns.append(self._written.pop())
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(self._pipe, "".join(f"{arn}\n" for arn in arns).encode())


def announce_writes(pipe: int) -> None:
    """Tell of every stream that is written in the emulator of this process. Called before it serves.

    Parameters
    ----------
    pipe
        File descriptor to write to.
    """
    from ministack.services import dynamodb, kinesis  # noqa: PLC0415 - read their settings at import

    teller = _Teller(pipe)
    changed, put, put_many, resolve = (
        cast("Callable[..., Any]", getattr(module, name))
        for module, name in (
            (dynamodb, "_emit_stream_event"),
            (kinesis, "_put_record"),
            (kinesis, "_put_records"),
            (kinesis, "_resolve_stream"),
        )
    )
    tables = cast("Mapping[str, Mapping[str, Any]]", cast("Any", dynamodb)._tables)

    def change(table_name: str, *change: Any, **options: Any) -> None:
        changed(table_name, *change, **options)
        stream_arn = tables.get(table_name, {}).get("LatestStreamArn")
        if stream_arn:
            teller.tell(stream_arn)

    def telling(store: Callable[..., Any]) -> Callable[[dict[str, Any]], Any]:
        def put(request: dict[str, Any]) -> Any:
            answer = store(request)
            _, stream = resolve(request)
            if stream:
                teller.tell(stream["StreamARN"])
            return answer

        return put

    setattr(dynamodb, "_emit_stream_event", change)  # noqa: B010
    setattr(kinesis, "_put_record", telling(put))  # noqa: B010
    setattr(kinesis, "_put_records", telling(put_many))  # noqa: B010


def listen(pipe: int, tell: Callable[[str], None]) -> None:
    """Pass on what is announced until the other end closes.

    Parameters
    ----------
    pipe
        File descriptor to read from; closed in the end.
    tell
        Called with a stream's ARN.
    """
    rest = b""
    with contextlib.closing(os.fdopen(pipe, "rb", buffering=0)) as lines:
        while read := lines.read(_READ_BYTES):
            *arns, rest = (rest + read).split(b"\n")
            for arn in dict.fromkeys(arns):
                tell(arn.decode())
