"""Bookmarks and checkpoints in the state, and whether a table was received completely."""
