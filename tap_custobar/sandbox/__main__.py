"""The command `python -m tap_custobar.sandbox`."""

from __future__ import annotations

import argparse
import signal
import socket
import sys

try:
    import uvicorn

    from tap_custobar.sandbox.app import TOKEN, ServerOptions, create_app
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] not in {"starlette", "uvicorn"}:
        raise
    sys.exit("The sandbox needs two more packages: pip install '.[sandbox]' in a checkout")

from typing import TYPE_CHECKING

from tap_custobar.sandbox.campaigns import campaigns
from tap_custobar.sandbox.csv_format import DELIMITERS
from tap_custobar.sandbox.customers import customers
from tap_custobar.sandbox.events import events
from tap_custobar.sandbox.products import products
from tap_custobar.sandbox.rate_limit import RateLimit
from tap_custobar.sandbox.records import MAX_RECORDS
from tap_custobar.sandbox.sales import SHAPES, sales
from tap_custobar.sandbox.timeline import MAX_DAYS, MAX_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.applications import Starlette

HOST = "127.0.0.1"
"""The only address served, because the tokens are public."""


def main() -> None:
    """Serve the sandbox until SIGTERM or SIGINT."""
    options = _parser().parse_args()
    listener = _listen(options.port)
    # uvicorn shuts down gracefully on either signal and then raises it again for the handler
    # that was installed before.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    config = uvicorn.Config(
        _app(options),
        access_log=False,
        lifespan="off",
        log_level="warning",
        timeout_graceful_shutdown=3,
    )
    port = listener.getsockname()[1]
    sys.stdout.write(f"Custobar sandbox: http://{HOST}:{port}/api (token {TOKEN})\n")
    sys.stdout.flush()
    uvicorn.Server(config).run(sockets=[listener])


def _app(options: argparse.Namespace) -> Starlette:
    seed, day = options.seed, options.day
    streams = [
        customers(options.customers, seed),
        products(options.products, seed),
        sales(options.sales, seed, day=day, shape=options.sales_shape),
        events(options.events, seed, day=day),
    ]
    server_options = ServerOptions(
        rate_limit=RateLimit(options.rate_limit),
        untidy=options.untidy,
        delimiter=DELIMITERS[options.csv_delimiter],
    )
    return create_app(streams, campaigns(options.campaigns, seed), server_options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tap_custobar.sandbox",
        description="Serve a local look-alike of the Custobar API with sample data.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    _add_data(parser)
    _add_server_options(parser)
    return parser


def _add_data(parser: argparse.ArgumentParser) -> None:
    """Add the options of the sample data."""
    size, growing = _integer(0, MAX_RECORDS), _integer(0, MAX_SIZE)
    add = parser.add_argument
    add("--customers", metavar="N", type=size, default=1000, help="number of customers")
    add("--products", metavar="N", type=size, default=300, help="number of products")
    add("--sales", metavar="N", type=growing, default=1500, help="number of sales on day 0")
    add(
        "--sales-shape",
        choices=SHAPES,
        default="transactions",
        help="shape of sales: whole sales or line items ('rows'), two a sale on average",
    )
    add("--events", metavar="N", type=growing, default=3000, help="number of events on day 0")
    add(
        "--campaigns", metavar="N", type=_integer(0, 99_999), default=45, help="number of campaigns"
    )
    add(
        "--day",
        metavar="D",
        type=_integer(0, MAX_DAYS),
        default=0,
        help="serve the data as of this many days later: more sales and events, some of them "
        "with older dates, and other states of sales",
    )
    add("--seed", metavar="S", type=int, default=0, help="seed of the generated data")


def _add_server_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the server."""
    add = parser.add_argument
    add("--port", type=_integer(0, 65535), default=8080, help="port to serve on, 0 for a free one")
    add(
        "--csv-delimiter",
        choices=DELIMITERS,
        default="comma",
        help="delimiter of CSV; Custobar does not document its own",
    )
    add(
        "--rate-limit",
        metavar="N",
        type=_integer(0, MAX_RECORDS),
        default=0,
        help="requests a minute before status 429, 0 for no limit; Custobar allows 180",
    )
    add("--untidy", action="store_true", help="serve JSON that is as untidy as real data")


def _integer(least: int, most: int) -> Callable[[str], int]:
    """Return a parser of integers from `least` to `most`, for argparse."""

    def integer(text: str) -> int:
        number = int(text)
        if not least <= number <= most:
            reason = f"must be from {least} to {most}"
            raise argparse.ArgumentTypeError(reason)
        return number

    return integer


def _listen(port: int) -> socket.socket:
    """Return a socket that already accepts connections.

    No connection is refused after the port was printed.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        sys.exit(f"Cannot serve on port {port}: {error.strerror}. Choose another with --port.")
    listener.listen()
    return listener


if __name__ == "__main__":
    main()
