"""Lambda code of the game shop."""
