"""Every place where the singer-sdk is bent, each with its reason.

`tests/unit/test_sdk.py` notices when the SDK changes under one of them.
"""
