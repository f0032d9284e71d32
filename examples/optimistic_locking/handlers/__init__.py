"""Lambda handlers of the guild bank."""
