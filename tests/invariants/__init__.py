"""The invariant check: silent on every valid history, loud on every corruption."""
