"""A plugin of detect-secrets that finds Custobar API keys; `make check` uses it."""

import re
from typing import ClassVar

from detect_secrets.plugins.base import RegexBasedDetector


class CustobarKeyDetector(RegexBasedDetector):
    """Finds API keys: the letters API, then capitals and digits, about 40 characters in total."""

    secret_type = "Custobar API key"  # noqa: S105 # pragma: allowlist secret
    denylist: ClassVar = [re.compile(r"\bAPI[A-Z0-9]{24,}\b")]
