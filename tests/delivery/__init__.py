"""Tests of event delivery: AWS's semantics on streams in memory, and once on a real emulator."""
