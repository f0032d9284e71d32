"""Checkpoint stores: in memory, and in a file that survives a restart."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, TypeAlias, cast

from local.delivery.ports import Checkpoint

if TYPE_CHECKING:
    from pathlib import Path

_Key: TypeAlias = tuple[str, str, str]


class MemoryCheckpoints:
    """Keeps checkpoints while the process lives."""

    def __init__(self) -> None:
        self._checkpoints: dict[_Key, Checkpoint] = {}

    def load(self, mapping_id: str, stream_arn: str, shard_id: str) -> Checkpoint | None:
        """Return the checkpoint of a shard, or None if the mapping has not finished a record of it."""
        return self._checkpoints.get((mapping_id, stream_arn, shard_id))

    def save(self, mapping_id: str, stream_arn: str, shard_id: str, checkpoint: Checkpoint) -> None:
        """Replace the checkpoint of a shard."""
        self._checkpoints[mapping_id, stream_arn, shard_id] = checkpoint

    def flush(self) -> None:
        """Nothing to make durable."""


class FileCheckpoints:
    """Keeps checkpoints in one JSON file, replaced as a whole so that a crash leaves the old or the new one.

    Saving is cheap: only `flush` writes. A crash between the two delivers again what was finished since the last flush,
    which at-least-once delivery allows.

    Parameters
    ----------
    path : Path
        The file; its folder is created with it.

    Raises
    ------
    ValueError
        The file exists and is not a checkpoint file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._changed = False
        self._checkpoints = _read(path)

    def load(self, mapping_id: str, stream_arn: str, shard_id: str) -> Checkpoint | None:
        """Return the checkpoint of a shard, or None if the mapping has not finished a record of it."""
        return self._checkpoints.get((mapping_id, stream_arn, shard_id))

    def save(self, mapping_id: str, stream_arn: str, shard_id: str, checkpoint: Checkpoint) -> None:
        """Replace the checkpoint of a shard; durable after the next flush."""
        with self._lock:
            self._checkpoints[mapping_id, stream_arn, shard_id] = checkpoint
            self._changed = True

    def flush(self) -> None:
        """Write the file if a checkpoint has changed since the last flush."""
        with self._lock:
            if not self._changed:
                return
            rows = [
                {
                    "mapping": key[0],
                    "stream": key[1],
                    "shard": key[2],
                    "after": value.sequence_number,
                    "ended": value.ended,
                }
                for key, value in sorted(self._checkpoints.items())
            ]
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft = self._path.with_suffix(".tmp")
            draft.write_text(json.dumps({"checkpoints": rows}, indent=1))
            draft.replace(self._path)
            self._changed = False


def _read(path: Path) -> dict[_Key, Checkpoint]:
    if not path.exists():
        return {}
    try:
        rows = cast("list[dict[str, object]]", json.loads(path.read_text())["checkpoints"])
        return {
            (str(row["mapping"]), str(row["stream"]), str(row["shard"])): Checkpoint(
                None if row["after"] is None else str(row["after"]), bool(row["ended"])
            )
            for row in rows
        }
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a checkpoint file: {error!r}; delete it to start over") from None
