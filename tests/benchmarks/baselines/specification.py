"""Baseline: the loop in Custobar's specification, with a RECORD line for each record.

The specification's wait of one second after each page is an argument: `URL SECONDS`.
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
    page = requests.get(url, headers=headers, timeout=300).json()
    for customer in page["customers"]:
        print(json.dumps({"type": "RECORD", "stream": "customers", "record": customer}))
    url = page.get("next_url")
    time.sleep(wait)
