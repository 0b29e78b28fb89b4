"""Renews the cassettes in tests/cassettes from the sandbox, with host and token scrubbed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import vcr

from scripts.demo import sandbox
from tap_custobar.tap import TapCustobar

CASSETTES = Path("tests", "cassettes")
PUBLIC_URL = "https://acme.custobar.com/api"


def main() -> None:
    """Record one sync and one connection test of a small sandbox."""
    file = CASSETTES / "sandbox.yaml"
    file.unlink(missing_ok=True)
    with sandbox("--customers", "120", "--products", "60") as (url, token):

        def scrub_request(request: Any) -> Any:  # noqa: ANN401 - vcrpy is not typed
            request.uri = request.uri.replace(url, PUBLIC_URL)
            request.headers = {}
            return request

        def scrub_response(response: dict[str, Any]) -> dict[str, Any]:
            response["headers"] = {
                name: [value.replace(url, PUBLIC_URL) for value in values]
                for name, values in response["headers"].items()
                if name in {"content-type", "X-Custobar-Next-Url"}
            }
            body = response["body"]
            body["string"] = body["string"].replace(url.encode(), PUBLIC_URL.encode())
            return response

        recorder = vcr.VCR(
            before_record_request=scrub_request,
            before_record_response=scrub_response,
            decode_compressed_response=True,
        )
        address = {"api_url": url, "api_token": token, "discover_custom_fields": False}
        config = {**address, "request_interval": 0, "page_size": 50}
        with recorder.use_cassette(file):
            TapCustobar(config=config).sync_all()
            TapCustobar(config=config).run_connection_test()


if __name__ == "__main__":
    os.chdir(Path(__file__).parent.parent)
    main()
