"""The tap: its settings and its list of streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from singer_sdk import typing as th

from tap_custobar.connection import Connection
from tap_custobar.sdk import CustobarBaseTap
from tap_custobar.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_sdk import Stream

STREAM_OPTIONS = th.ObjectType(
    th.Property(
        "filters",
        th.ObjectType(
            additional_properties=th.CustomType({"type": ["string", "number", "boolean"]})
        ),
        title="Filters",
        description="Field name to the value that its records must have; all must match.",
    ),
    th.Property(
        "order",
        th.ArrayType(th.StringType(pattern="^-?[^-,\\s][^,\\s]*$")),
        title="Order",
        description="Field names to order by; a leading dash means descending.",
    ),
    additional_properties=False,
)


class TapCustobar(CustobarBaseTap):
    """Singer tap for Custobar."""

    name = "tap-custobar"

    config_jsonschema: ClassVar = th.PropertiesList(
        th.Property(
            "api_token",
            th.StringType(nullable=False),
            required=True,
            secret=True,
            title="API token",
            description=(
                "An API key of Custobar: Settings > Integrations > Available integrations > "
                "Custom > API keys > Create new API key. It needs the scope GET on the path of "
                "each stream that is read, e.g. GET /api/data/customers/."
            ),
        ),
        th.Property(
            "company",
            th.StringType(pattern="^[a-z0-9][a-z0-9-]*$"),
            title="Company",
            description=(
                "The first part of the address you use Custobar at: acme for "
                "https://acme.custobar.com. Either this or api_url is required."
            ),
            examples=["acme"],
        ),
        th.Property(
            "api_url",
            th.StringType(),
            title="API URL",
            description=(
                "The whole base URL up to /api, for companies with a domain of their own, for "
                "app.custobar.com or for the sandbox. Wins over company. Must be https, except "
                "on a loopback address."
            ),
            examples=["https://app.custobar.com/api"],
        ),
        th.Property(
            "auth_scheme",
            th.StringType(allowed_values=["Token", "Bearer"]),
            default="Token",
            title="Authorization scheme",
            description=(
                "The word before the token in the Authorization header. Try the other one when "
                "Custobar answers 401 to a token that is right."
            ),
        ),
        th.Property(
            "page_size",
            th.IntegerType(minimum=1, maximum=10_000),
            title="Page size",
            description=(
                "Records to ask for at once. Unset means as many as the API gives (10,000); "
                "lower it only when answers time out."
            ),
        ),
        th.Property(
            "request_interval",
            th.NumberType(minimum=0),
            default=1.0,
            title="Request interval",
            description=(
                "Least seconds between the starts of two requests, over all streams. Custobar "
                "is known to limit requests to about 180 a minute; time spent working counts."
            ),
        ),
        th.Property(
            "request_timeout",
            th.NumberType(exclusive_minimum=0),
            default=300.0,
            title="Request timeout",
            description=(
                "Seconds of silence after which a request is given up and retried; a whole "
                "answer may take three times that."
            ),
        ),
        th.Property(
            "max_retries",
            th.IntegerType(minimum=0),
            default=8,
            title="Retries",
            description=(
                "How often one request is retried before its stream fails. All its waits "
                "together end after 15 minutes."
            ),
        ),
        th.Property(
            "stream_options",
            th.ObjectType(
                *(th.Property(stream.name, STREAM_OPTIONS) for stream in STREAMS),
                additional_properties=False,
            ),
            title="Stream options",
            description=(
                "For each stream: filters (only records whose fields have these values are "
                "read) and order (fields to order by, a leading dash means descending)."
            ),
            examples=[
                {"customers": {"filters": {"can_email": True}, "order": ["last_name", "-email"]}}
            ],
        ),
        th.Property(
            "user_agent",
            th.StringType(),
            title="User agent",
            description="Replaces tap-custobar/<version> in the User-Agent header.",
        ),
        th.Property(
            "emit_activate_version_messages",
            th.BooleanType(),
            default=False,
            title="Emit ACTIVATE_VERSION",
            description=(
                "Tell the target, after a table was read whole, that rows not in it were "
                "deleted at Custobar."
            ),
        ),
    ).to_dict()

    def discover_streams(self) -> Sequence[Stream]:
        """Return the streams there are."""
        connection = Connection(self.config)
        return [stream(self, connection) for stream in STREAMS]
