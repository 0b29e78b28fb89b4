"""The tap's second face: `source-custobar`, which speaks the Airbyte protocol."""
