"""`python -m local.feed`: the feed's process.

It reads the deployment's resources from standard input, one JSON list a line, the last one holds; when the input
closes, which the operating system does when the parent dies, it ends.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from typing import TYPE_CHECKING

from local.feed.apis import UnusableApi, load_apis
from local.feed.authorization import Authorizer
from local.feed.hub import Hub
from local.feed.process import READY
from local.feed.publishing import PublishingEndpoint
from local.feed.realtime import RealtimeEndpoint
from local.feed.tokens import TokenVerifier

if TYPE_CHECKING:
    from local.feed.apis import EventApi

_LONGEST_LINE_BYTES = 16 << 20


async def serve(emulator_url: str, realtime_port: int, publishing_port: int) -> None:
    """Serve until standard input closes. Each line is answered on standard output: `ready`, or what is wrong."""
    apis: dict[str, EventApi] = {}
    authorizer = Authorizer(TokenVerifier(emulator_url), emulator_url)
    hub = Hub()
    realtime = await RealtimeEndpoint(apis, authorizer, hub).listen(realtime_port)
    publishing = await PublishingEndpoint(apis, authorizer, hub).listen(publishing_port)
    lines = asyncio.StreamReader(limit=_LONGEST_LINE_BYTES)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with publishing:
        while line := await lines.readline():
            try:
                found = load_apis(json.loads(line))
            except UnusableApi as error:
                print(error, flush=True)
                continue
            apis.clear()
            apis.update(found)
            authorizer.forget_publishers()
            print(READY, flush=True)
    realtime.close()
    await realtime.wait_closed()


def main() -> None:
    """Run the process."""
    parser = argparse.ArgumentParser(prog="python -m local.feed", description="Serve AppSync Events on this machine.")
    parser.add_argument("--emulator", required=True, help="URL of the emulator")
    parser.add_argument("--realtime-port", type=int, required=True, help="port of the WebSocket endpoint")
    parser.add_argument("--publishing-port", type=int, required=True, help="port of the HTTP endpoint")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(serve(arguments.emulator, arguments.realtime_port, arguments.publishing_port))


if __name__ == "__main__":
    main()
