"""Lambda handlers of the shop."""
