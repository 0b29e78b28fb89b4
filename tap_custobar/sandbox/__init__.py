"""A local look-alike of the Custobar API with generated sample data.

`python -m tap_custobar.sandbox` serves it on the loopback address. `tap_custobar.sandbox.app`
has its tokens.
"""
