"""Records the cassettes in tests/cassettes from the sandbox, without its host and token."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import vcr

from scripts.demo import sandbox
from tap_custobar.tap import TapCustobar

CASSETTES = Path("tests", "cassettes")
PUBLIC_URL = "https://acme.custobar.com/api"


def everything(config: dict[str, Any]) -> dict[str, Any]:
    """Return a catalog that selects all streams, without a request."""
    catalog = TapCustobar(config={**config, "discover_custom_fields": False}).catalog_dict
    for entry in catalog["streams"]:
        for item in entry["metadata"]:
            item["metadata"]["selected"] = True
    return catalog


def main() -> None:
    """Record one sync and one connection test of a small sandbox."""
    file = CASSETTES / "sandbox.yaml"
    file.unlink(missing_ok=True)
    sizes = {"customers": 120, "products": 60, "sales": 60, "events": 60, "campaigns": 35}
    options = [option for name, size in sizes.items() for option in (f"--{name}", str(size))]
    with sandbox(*options) as (url, token):

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
        config = {"api_url": url, "api_token": token, "request_interval": 0, "page_size": 50}
        catalog = everything(config)
        with recorder.use_cassette(file):
            TapCustobar(config=config, catalog=catalog).sync_all()
            TapCustobar(config=config, catalog=catalog).run_connection_test()


if __name__ == "__main__":
    os.chdir(Path(__file__).parent.parent)
    main()
