"""The repository's own program deploys as it is, for every environment it knows."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.deployer.conftest import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from local.emulator import Emulator


def test_local_deploys_converges_and_leaves_nothing(emulator: Emulator, tmp_path: Path) -> None:
    first = _deploy("up", "local", emulator, tmp_path)
    try:
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{first['outputs']['api_url']}/asks", timeout=10)
        assert refused.value.code == 401, "the API answers at the URL the stack exports, and wants a token"
        assert _deploy("up", "local", emulator, tmp_path)["calls"] == {}
    finally:
        last = _deploy("down", "local", emulator, tmp_path)
    assert last["remaining"] == []


def test_down_removes_the_protected_resources_of_prod_too(emulator: Emulator, tmp_path: Path) -> None:
    _deploy("up", "prod", emulator, tmp_path)
    assert _deploy("down", "prod", emulator, tmp_path)["remaining"] == []


def _deploy(command: str, stack: str, emulator: Emulator, folder: Path) -> dict[str, Any]:
    arguments = ["--stack", stack, "--endpoint", emulator.endpoint_url, "--state", str(folder / "state.json")]
    done = subprocess.run(
        [sys.executable, "-m", "local.deployer", command, *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.strip().rsplit("\n", 1)[-1]
    return json.loads(done.stdout)
