"""Lambda code of the guild bank."""
