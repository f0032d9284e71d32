"""Sequenced log: a gap-free, append-only sequence of entries for each partition, appended inside a transaction."""

from __future__ import annotations

from patterns.sequenced_log.log import SequencedLog

__all__ = ["SequencedLog"]
