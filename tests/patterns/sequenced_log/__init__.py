"""The sequenced log: the contract on every store, its faults, its component and its example."""
