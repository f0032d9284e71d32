from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import api, local_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["api", "interruptible", "local_environment"]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C is heard as in a terminal: a shell has what it runs in the background ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
