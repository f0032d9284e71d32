"""MiniStack as an ASGI application under uvicorn, which takes a third of the time of MiniStack's own server for a
request. uvicorn speaks no WebSocket here: nothing local uses the emulator's.
"""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING, Any, cast

import uvicorn

from local.precedence import Precedence

if TYPE_CHECKING:
    from collections.abc import Collection

_IDLE_CONNECTION_S = 75
_LAST_ANSWERS_S = 5


def serve(host: str, port: int, *, giving_way: Collection[str], delivering: str) -> None:
    """Serve until SIGTERM; requests under way then are answered, and data that is to be kept is saved.

    Parameters
    ----------
    host, port
        Where to listen.
    giving_way
        Access keys of the callers that let all others go first; may change at any time.
    delivering
        Access key of the event delivery.
    """
    from ministack import app  # noqa: PLC0415 - its settings are read from the environment at import

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    uvicorn.run(
        Precedence(cast("Any", app).app, giving_way, delivering),
        host=host,
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=_IDLE_CONNECTION_S,
        timeout_graceful_shutdown=_LAST_ANSWERS_S,
    )
