"""Baseline: the lower limit in Python, raw bytes that become lines without any check.

It is not a tap: it assumes that records hold no objects, that the JSON has no white space, and that
every record is valid. It shows how much a tap could gain at most. `URL` makes the lines of a page
in one piece and writes once, which the bounds are based on; `URL lean` avoids these copies.
"""

from __future__ import annotations

import sys

import requests

RECORD = b'{"type":"RECORD","stream":"customers","record":'
OPENING = len(b'{"customers":[')
BETWEEN = b"}}\n" + RECORD + b"{"

url = sys.argv[1]
lean = "lean" in sys.argv[2:]
session = requests.Session()
session.headers["Authorization"] = "Token benchmark"

with open(1, "wb", buffering=0) as stdout:
    while url:
        response = session.get(url, stream=True, timeout=300)
        body = response.raw.read()
        end = body.rindex(b"}]") + 1
        if lean:
            lines = memoryview(body.replace(b"},{", BETWEEN))
            stdout.write(RECORD)
            stdout.write(lines[OPENING : end - len(body)])
            stdout.write(b"}\n")
        else:
            stdout.write(RECORD + body[OPENING:end].replace(b"},{", BETWEEN) + b"}\n")
        url = response.headers.get("X-Custobar-Next-Url", "")
