"""Raw rows -> records that fit their schema."""
