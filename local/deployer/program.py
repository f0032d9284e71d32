"""Runs a Pulumi program in this process, the way the Pulumi CLI's Python host does, against a given monitor."""

from __future__ import annotations

import asyncio
import logging
import os
import runpy
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from pulumi.runtime import config, mocks, settings, stack

from local.deployer.errors import DeployError

if TYPE_CHECKING:
    from local.deployer.monitor import DeploymentMonitor
    from local.deployer.project import Project

_log = logging.getLogger(__name__)


def run_program(project: Project, monitor: DeploymentMonitor) -> None:
    """Execute the project's `__main__.py` to its end.

    Raises
    ------
    DeployError
        A registration failed, or the program raised: one line with the exception and its place. The full traceback
        goes to the log.
    """
    config.set_all_config(project.config)
    settings.configure(
        mocks.MockSettings(
            monitor=monitor,
            monitor_features=set(monitor.GetDeploymentInfo(None).supportedFeatures),
            engine=mocks.MockEngine(logging.getLogger("pulumi")),
            project=project.name,
            stack=project.stack,
            organization="local",
            root_directory=str(project.root),
            dry_run=False,
            callbacks=None,
        )
    )
    os.chdir(project.root)
    sys.path.insert(0, str(project.root))
    try:
        asyncio.run(stack.run_in_stack(lambda: _execute(project.root / "__main__.py")))
    except Exception as error:
        cause = monitor.failure or error
        if isinstance(cause, DeployError):
            raise cause from None
        _log.error("%s", "".join(traceback.format_exception(cause)))
        raise DeployError(f"the Pulumi program failed: {_one_line(cause, project.root)}") from None


def _execute(path: Path) -> None:
    runpy.run_path(str(path), run_name="__main__")


def _one_line(error: BaseException, root: Path) -> str:
    text = f"{type(error).__name__}: {' '.join(str(error).split())}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if (
            path.is_relative_to(root)
            and "site-packages" not in path.parts
            and Path(__file__).parent not in path.parents
        ):
            return f"{text} ({path.relative_to(root)}:{frame.lineno})"
    return text
