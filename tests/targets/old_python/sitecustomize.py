"""Adds what Python 3.10 removed from collections, for targets that need an older version."""

import collections
import collections.abc

for name in collections.abc.__all__:
    setattr(collections, name, getattr(collections.abc, name))
