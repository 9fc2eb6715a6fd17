"""管: commands and their outbox, API keys, backup and restore, the state of the whole."""
