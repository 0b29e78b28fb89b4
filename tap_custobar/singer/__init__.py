"""Overrides of the SDK, each with its reason, and where records are written."""
