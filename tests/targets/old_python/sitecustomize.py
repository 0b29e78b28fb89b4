"""Lets targets that were made for older Pythons start: what Python 3.10 took out of collections."""

import collections
import collections.abc

for name in collections.abc.__all__:
    setattr(collections, name, getattr(collections.abc, name))
