"""GitHub's REST API under /api/v3, as far as the bot needs it."""
