"""Periodic aggregator: the contract on both stores, its faults, its component and its example."""
