"""Settings: what they may be, and what is wrong with them."""
