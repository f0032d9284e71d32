"""The audit of a whole market: nothing to find in a sound one, and whatever was altered is found and named."""
