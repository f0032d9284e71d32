"""What a cold start imports: the modules of each function, counted, because time on a shared machine is no test.

Counted are modules that are not Python's own, after the handler's module has been imported with the variables of a
deployed environment: its clients exist, as they do when Lambda has initialized an instance.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.components.graph import environment_graph

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]

# botocore with one service's client, and Powertools' logger.
STREAM_BUDGET = 170
# Powertools' event handler on top: its package brings the routers of all kinds of APIs.
API_BUDGET = 245
# Small files of ours, compiled ahead: all of them together cost less than the logger.
OWN_BUDGET = 90
OWN = ("functions", "market", "patterns")

# Heavy, and never needed to start: each takes longer to import than the rest of a function together, or is a part of
# one of the packages above that only a wrong import line brings in.
NEVER = ("boto3", "pydantic", "aws_xray_sdk", "opentelemetry", "pulumi", "moto", "pytest")

_COUNT = """
import importlib, json, sys
importlib.import_module(sys.argv[1])
print(json.dumps(sorted(name for name in sys.modules if name.partition(".")[0] not in sys.stdlib_module_names)))
"""


def imported(module: str, variables: Mapping[str, str]) -> list[str]:
    """Names of the modules that a fresh process has imported once it can serve its first event."""
    environ = {
        **variables,
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "PYTHONPATH": str(ROOT),
    }
    ran = subprocess.run(
        [sys.executable, "-c", _COUNT, module], env=environ, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


def _functions() -> dict[str, dict[str, str]]:
    nodes = environment_graph("staging").of_type("aws:lambda/function:Function")
    return {
        str(node.inputs["handler"]).removesuffix(".handler"): node.inputs["environment"]["variables"] for node in nodes
    }


@pytest.mark.parametrize("module", sorted(_functions()))
def test_a_function_imports_what_it_needs_to_start(module: str) -> None:
    modules = imported(module, _functions()[module])
    assert [name for name in modules if name.startswith(NEVER)] == []
    own = [name for name in modules if name.partition(".")[0] in OWN]
    others = set(modules) - set(own)
    assert len(others) <= (API_BUDGET if "aws_lambda_powertools.event_handler" in modules else STREAM_BUDGET), others
    assert len(own) <= OWN_BUDGET, own


def test_the_count_sees_what_an_import_line_brings_in() -> None:
    assert [
        name for name in imported("functions.clock", {}) if name.partition(".")[0] in (*OWN, *NEVER, "botocore")
    ] == [
        "functions",
        "functions.clock",
    ]
    assert any(name.startswith(NEVER) for name in imported("boto3", {}))
