"""Which market a command talks to: the local environment, or a stack that Pulumi deployed to AWS."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import boto3

from cli.failures import EnvironmentUnavailableError
from local.environment import find

if TYPE_CHECKING:
    from collections.abc import Callable

LOCAL = "local"

_PROJECT = Path(__file__).resolve().parent.parent
_PULUMI_LIMIT_S = 60


@dataclass(frozen=True, slots=True)
class Environment:
    """A deployed market.

    Attributes
    ----------
    name
        Name of the environment, which is the name of its stack.
    outputs
        The stack's outputs by name.
    client
        Makes a boto3 client of a service (such as ``dynamodb``) in the environment.
    realtime_url
        Address of the live feed, if it is not the exported one: locally no host has that name.
    """

    name: str
    outputs: dict[str, Any]
    client: Callable[[str], Any]
    realtime_url: str | None = None

    @property
    def api_url(self) -> str:
        return str(self.output("api_url"))

    @property
    def materials(self) -> tuple[str, ...]:
        return tuple(self.output("materials"))

    @property
    def currency_digits(self) -> int:
        return int(self.output("currency_digits"))

    def output(self, name: str) -> Any:
        """Return a stack output.

        Raises
        ------
        EnvironmentUnavailableError
            The stack does not export it.
        """
        if self.outputs.get(name) is None:
            raise EnvironmentUnavailableError(f"environment {self.name} has no output {name}: deploy it again")
        return self.outputs[name]


def find_environment(name: str) -> Environment:
    """Find a running environment.

    Parameters
    ----------
    name
        ``local``, or the name of a Pulumi stack; for those, AWS credentials come from the usual places.

    Raises
    ------
    EnvironmentUnavailableError
        It does not run, does not exist, or cannot be asked for.
    """
    if name == LOCAL:
        running = find(name)
        if running is None:
            raise EnvironmentUnavailableError("the local environment is not running: start it with `market up`")
        return Environment(name, running.outputs, running.client, running.feed_url)
    outputs = _stack_outputs(name)
    session = cast("Any", boto3.Session(region_name=outputs.get("region")))  # its client() has an overload per service
    return Environment(name, outputs, session.client)


def _stack_outputs(stack: str) -> dict[str, Any]:
    try:
        outputs: Any = json.loads(ask_pulumi(stack, "output", "--json"))
    except ValueError as error:
        raise EnvironmentUnavailableError(f"environment {stack}: pulumi gave no JSON outputs") from error
    if not outputs:
        raise EnvironmentUnavailableError(
            f"environment {stack} has no outputs: deploy it with `pulumi up --stack {stack}`"
        )
    return outputs


def ask_pulumi(stack: str, *words: str) -> str:
    """Return what ``pulumi stack`` says of an environment.

    Parameters
    ----------
    stack
        Name of the environment.
    *words
        The subcommand and its options, such as ``export``.

    Raises
    ------
    EnvironmentUnavailableError
        There is no Pulumi command line, no such stack, or no answer.
    """
    command = ["pulumi", "stack", *words, "--stack", stack]
    try:
        asked = subprocess.run(
            command,
            cwd=_PROJECT,
            capture_output=True,
            text=True,
            timeout=_PULUMI_LIMIT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError as error:
        raise EnvironmentUnavailableError(
            f"environment {stack} is read with the Pulumi command line, which is not installed (no `pulumi` on PATH)"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise EnvironmentUnavailableError(
            f"environment {stack}: pulumi gave no answer in {_PULUMI_LIMIT_S} s"
        ) from error
    if asked.returncode != 0:
        reasons = [line for line in asked.stderr.splitlines() if line.strip()] or ["no reason given"]
        raise EnvironmentUnavailableError(
            f"environment {stack}: pulumi says: {reasons[-1].strip().removeprefix('error: ')}"
        )
    return asked.stdout
