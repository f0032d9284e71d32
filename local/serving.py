"""MiniStack as an ASGI application under uvicorn, which takes a third of the time of MiniStack's own server for a
request. uvicorn speaks no WebSocket here: nothing local uses the emulator's.
"""

from __future__ import annotations

import resource
from typing import Any, cast

import uvicorn

_IDLE_CONNECTION_S = 75
_LAST_ANSWERS_S = 5


def serve(host: str, port: int) -> None:
    """Serve until SIGTERM; requests under way then are answered, and data that is to be kept is saved.

    Parameters
    ----------
    host, port
        Where to listen.
    """
    from ministack import app  # noqa: PLC0415 - its settings are read from the environment at import

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    uvicorn.run(
        cast("Any", app).app,
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
