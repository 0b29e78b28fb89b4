"""Yardstick (a): the loop that Custobar's specification gives, and one RECORD line each.

The specification's own wait of a second a page is an option here: `URL [SECONDS]`.
"""

from __future__ import annotations

import json
import sys
import time

import requests

headers = {"Authorization": "Token benchmark"}
url = sys.argv[1]
wait = float(sys.argv[2])

while url:
    reply = requests.get(url, headers=headers, timeout=300).json()
    for customer in reply["customers"]:
        print(json.dumps({"type": "RECORD", "stream": "customers", "record": customer}))
    url = reply.get("next_url")
    time.sleep(wait)
