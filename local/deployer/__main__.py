"""`python -m local.deployer up|down`: one deployment in a process of its own, so that Pulumi's memory is gone
afterwards.

Prints the result as one JSON object; a failure is one line on the error stream that starts with `error:` and exit
code 1.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import logging
import sys
from pathlib import Path

from local.deployer.aws import Aws
from local.deployer.deployment import down, up
from local.deployer.errors import DeployError
from local.deployer.project import load_project
from local.emulator import ACCOUNT_ID


def main() -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m local.deployer", description="Deploy the Pulumi program to the local emulator."
    )
    parser.add_argument("command", choices=("up", "down"))
    parser.add_argument("--stack", required=True, help="stack name: Pulumi.<stack>.yaml")
    parser.add_argument("--endpoint", required=True, help="URL of the emulator")
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="folder of Pulumi.yaml (default: here)")
    parser.add_argument("--state", type=Path, help="state file (default: .local/<stack>/state.json)")
    parser.add_argument("--refresh", action="store_true", help="look first which resources the emulator still has")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stderr)
    for chatty in ("botocore", "urllib3", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)

    root: Path = arguments.root.resolve()
    state_path: Path = arguments.state or root / ".local" / arguments.stack / "state.json"
    try:
        project = load_project(root, arguments.stack)
        aws = Aws(arguments.endpoint, ACCOUNT_ID, project.region)
        # Standard output carries the result alone; what the program prints goes to the log.
        with contextlib.redirect_stdout(sys.stderr):
            if arguments.command == "up":
                result = up(project, aws, state_path.resolve(), refresh=arguments.refresh)
            else:
                result = down(aws, state_path.resolve())
    except DeployError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(json.dumps(dataclasses.asdict(result)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
