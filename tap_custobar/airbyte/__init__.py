"""The Airbyte source `source-custobar`, which reads with the tap."""
