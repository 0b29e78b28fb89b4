"""Overrides of singer-sdk, each with its reason, and the output of messages."""
