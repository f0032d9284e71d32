"""Spans of a function's work, exported where the environment's ``TRACING`` says: the one module to swap.

``NONE`` exports nothing. ``XRAY`` sends each span as a subsegment of the invocation to the X-Ray daemon that Lambda
runs beside a traced function, one UDP datagram each: nothing waits for an answer, and nothing fails with the daemon.
Another exporter, such as one for OpenTelemetry, is one more class with `Exporter`'s one method.

Formats: https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html and
https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html
"""

from __future__ import annotations

import json
import os
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from functions.clock import now_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from functions.clock import Clock

_HEADER: Final = b'{"format":"json","version":1}\n'
_DAEMON: Final = "127.0.0.1:2000"


class Span(NamedTuple):
    """Something a function did: when, in epoch milliseconds, whether an exception ended it, and for what ids."""

    name: str
    started_at_ms: int
    ended_at_ms: int
    failed: bool
    attributes: Mapping[str, str | int]


class Exporter(Protocol):
    """Takes finished spans."""

    def export(self, span: Span, /) -> None:
        """Pass a span on without waiting. If it raises, the span is lost."""
        ...


class XRayExporter:
    """Sends spans to the X-Ray daemon.

    Parameters
    ----------
    environ
        Usually `os.environ`: Lambda sets ``AWS_XRAY_DAEMON_ADDRESS`` once and ``_X_AMZN_TRACE_ID`` for each invocation.
    entropy
        Random bytes for span ids, e.g. `os.urandom`.
    """

    def __init__(self, environ: Mapping[str, str], entropy: Callable[[int], bytes]) -> None:
        self._environ = environ
        self._entropy = entropy

    def export(self, span: Span, /) -> None:
        """Send a span, unless the invocation is not sampled. Attributes become annotations, which X-Ray indexes."""
        trace = _fields(self._environ.get("_X_AMZN_TRACE_ID", ""))
        if trace.get("Sampled") != "1":
            return
        subsegment = {
            "type": "subsegment",
            "name": span.name,
            "id": self._entropy(8).hex(),
            "trace_id": trace["Root"],
            "parent_id": trace["Parent"],
            "start_time": span.started_at_ms / 1000,
            "end_time": span.ended_at_ms / 1000,
            "annotations": dict(span.attributes),
            "fault": span.failed,
        }
        host, _, port = self._environ.get("AWS_XRAY_DAEMON_ADDRESS", _DAEMON).rpartition(":")
        # A socket for each span: one that is kept would not outlive a snapshot.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
            daemon.setblocking(False)
            daemon.sendto(_HEADER + json.dumps(subsegment).encode(), (host, int(port)))


def _fields(header: str) -> dict[str, str]:
    """Read ``Root=…;Parent=…;Sampled=1``."""
    parts = (part.partition("=") for part in header.split(";"))
    return {name: value for name, _, value in parts}


class Tracer:
    """Times what is done within `span`.

    Parameters
    ----------
    exporter
        Takes the spans; None: nothing is timed.
    clock
        Epoch ms.
    """

    def __init__(self, exporter: Exporter | None, clock: Clock) -> None:
        self._exporter = exporter
        self._clock = clock

    @contextmanager
    def span(self, name: str, **attributes: str | int) -> Generator[None]:
        """Time a block of code, in any thread; spans side by side and within each other are all the invocation's.

        Parameters
        ----------
        name
            What is done, such as ``commit``.
        **attributes
            Ids to find the span by, such as ``trace_id``; names of letters, digits and underscores.
        """
        if self._exporter is None:
            yield
            return
        started_at_ms, failed = self._clock(), True
        try:
            yield
            failed = False
        finally:
            with suppress(Exception):  # whatever it is, what the span is about is done
                self._exporter.export(Span(name, started_at_ms, self._clock(), failed, attributes))


def exporter_of(environ: Mapping[str, str]) -> Exporter | None:
    """Return the exporter that ``TRACING`` names, None for ``NONE`` or nothing."""
    return XRayExporter(environ, os.urandom) if environ.get("TRACING") == "XRAY" else None


span = Tracer(exporter_of(os.environ), now_ms).span
"""`Tracer.span` of this process."""
