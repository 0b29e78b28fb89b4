"""Singer tap for Custobar."""
