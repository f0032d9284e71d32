"""An emulator for the whole session, and a sample project whose deployments run as they do in use: as subprocesses."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from local.deployer.aws import Aws
from local.emulator import ACCOUNT_ID, Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
SAMPLE = Path(__file__).parent / "project"


@dataclass
class Outcome:
    """A finished deployer process. `result` is empty after a failure."""

    code: int
    result: dict[str, Any]
    error: str


@dataclass
class Deployment:
    """A stack `test` of a project in `root`, deployed to the emulator."""

    root: Path
    aws: Aws

    @property
    def state(self) -> dict[str, Any]:
        """The state file."""
        return json.loads((self.root / ".local" / "test" / "state.json").read_text())

    def configure(self, **values: Any) -> None:
        """Change the stack's configuration."""
        path = self.root / "Pulumi.test.yaml"
        document = yaml.safe_load(path.read_text())
        document["config"].update({f"sample:{key}": value for key, value in values.items()})
        path.write_text(yaml.safe_dump(document))

    def write_program(self, text: str) -> None:
        """Replace the program."""
        (self.root / "__main__.py").write_text(text)

    def run(self, command: str) -> Outcome:
        """Run `up` or `down`."""
        arguments = ["--stack", "test", "--root", str(self.root), "--endpoint", self.aws.endpoint_url]
        done = subprocess.run(
            [sys.executable, "-m", "local.deployer", command, *arguments],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        result = json.loads(done.stdout) if done.returncode == 0 else None
        # At its end, the interpreter may still complain of an event loop that Pulumi has left behind.
        errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        return Outcome(done.returncode, result or {}, errors[-1] if errors else done.stderr)

    def up(self) -> dict[str, Any]:
        """`up` that must succeed."""
        outcome = self.run("up")
        assert outcome.code == 0, outcome.error
        return outcome.result


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    folder = tmp_path_factory.mktemp("emulator")
    process = Emulator(folder, folder / "emulator.log")
    process.start()
    yield process
    process.stop()


@pytest.fixture
def sample_project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    shutil.copytree(SAMPLE, root)
    return root


@pytest.fixture
def deployment(sample_project: Path, emulator: Emulator) -> Iterator[Deployment]:
    sample = Deployment(sample_project, Aws(emulator.endpoint_url, ACCOUNT_ID, "us-east-1"))
    yield sample
    if (sample_project / ".local" / "test" / "state.json").exists():
        assert sample.run("down").code == 0
