"""A local look-alike of the Custobar data API with generated sample data.

`python -m tap_custobar.sandbox` serves it on the loopback address. Its tokens are in
`tap_custobar.sandbox.app`.
"""
