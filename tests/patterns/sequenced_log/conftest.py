"""A fresh world on either store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.patterns.sequenced_log.world import World, new_world

if TYPE_CHECKING:
    from tests.patterns.stores import Store


@pytest.fixture
def world(store: Store) -> World:
    return new_world(store)
