"""Lets `make check` find a Custobar API key, beside the keys of better-known services."""

import re
from typing import ClassVar

from detect_secrets.plugins.base import RegexBasedDetector


class CustobarKeyDetector(RegexBasedDetector):
    """Keys start with API and go on in capitals and digits, about 40 characters in all."""

    secret_type = "Custobar API key"  # noqa: S105 # pragma: allowlist secret
    denylist: ClassVar = [re.compile(r"\bAPI[A-Z0-9]{24,}\b")]
