"""What there is to read, and how a catalog asks for it."""
