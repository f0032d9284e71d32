"""Lambda handlers of the leaderboard."""
