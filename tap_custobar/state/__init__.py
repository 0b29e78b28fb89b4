"""What a sync keeps in the state, and what it may conclude at a table's end."""
