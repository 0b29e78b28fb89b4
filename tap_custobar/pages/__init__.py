"""A response -> raw rows and the next link; the pages of a stream in turn."""
