"""An HTTP server of JSON on a free port of this machine, for stand-ins of services that tests talk to."""

from __future__ import annotations

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator


class JsonHandler(BaseHTTPRequestHandler):
    """Answers every request, silently, with documents; `respond` says with which."""

    protocol_version = "HTTP/1.1"

    def respond(self) -> None:
        """Read the request's body, if it has one, and `answer`; or close the connection."""
        raise NotImplementedError

    def do_GET(self) -> None:
        """Serve a request, whatever its method."""
        self.respond()

    do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def answer(self, status: int, document: Any) -> None:
        """Send a whole answer."""
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, *_: Any, **__: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def serving(handler: type[JsonHandler]) -> Generator[str]:
    """Answer until the end of the block; gives the URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
