"""The matcher: its pure core, its tape, and the whole of it against a model, under faults, and by its cost."""
