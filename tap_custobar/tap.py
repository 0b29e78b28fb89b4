"""The tap: its settings and its list of streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from singer_sdk import typing as th

from tap_custobar.catalog.custom_fields import JSON_SCHEMAS
from tap_custobar.config.settings import PSEUDONYMIZE
from tap_custobar.singer.tap import BaseTap
from tap_custobar.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_custobar.stream import CustobarStream

#: A company's name, or the address it uses Custobar at, from which the name is taken.
COMPANY = r"^(https?://)?[A-Za-z0-9][A-Za-z0-9-]{0,62}(\.custobar\.com(/.*)?)?$"

ORDER_FIELD = th.CustomType(
    {
        "type": ["string"],
        "title": "a field name, optionally with a leading dash",
        "pattern": "^-?[^-,\\s][^,\\s]*$",
        "examples": ["-email"],
    }
)

PROPERTY = th.CustomType({"type": ["string"], "title": "the name of a property"})

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
        th.ArrayType(ORDER_FIELD),
        title="Order",
        description="Field names to order by; a leading dash means descending.",
    ),
    th.Property(
        "custom_fields",
        th.ObjectType(additional_properties=th.StringType(allowed_values=[*JSON_SCHEMAS])),
        title="Custom fields",
        description="Name of a field of the company's own to its type at Custobar.",
    ),
    th.Property(
        "hash",
        th.ArrayType(PROPERTY),
        title="Hash",
        description="Properties whose values leave as their hashes under hash_key.",
    ),
    th.Property(
        "keep",
        th.ArrayType(PROPERTY),
        title="Keep",
        description="Properties that leave as they are though personal_data is pseudonymize.",
    ),
    additional_properties=False,
)

#: The SDK's own setting, with what it needs to be of use.
BATCH_CONFIG = th.ObjectType(
    th.Property(
        "encoding",
        th.ObjectType(
            th.Property(
                "format",
                th.StringType(allowed_values=["jsonl", "parquet"], nullable=False),
                required=True,
                title="Format",
                description="Parquet needs the package pyarrow.",
            ),
            th.Property(
                "compression",
                th.StringType(allowed_values=["gzip", "none"]),
                title="Compression",
                description="Of the files.",
            ),
            additional_properties=False,
            nullable=False,
        ),
        required=True,
        title="Encoding",
        description="What the files hold: a format (jsonl or parquet), and a compression (gzip).",
    ),
    th.Property(
        "storage",
        th.ObjectType(
            th.Property(
                "root",
                th.StringType(nullable=False),
                required=True,
                title="Root",
                description="The folder, or URL, that the files are written to.",
                examples=["file:///tmp/batches"],
            ),
            th.Property(
                "prefix",
                th.StringType(),
                title="Prefix",
                description="How the names of the files begin.",
            ),
            th.Property(
                "params",
                th.CustomType({"type": ["object"]}),
                title="Parameters",
                description="What fsspec needs for the storage, like credentials.",
            ),
            additional_properties=False,
            nullable=False,
        ),
        required=True,
        title="Storage",
        description="Where the files are written: a root (a folder or URL), and a prefix.",
    ),
    th.Property(
        "batch_size",
        th.IntegerType(minimum=1),
        title="Batch size",
        description="Records of one file at the most.",
    ),
    additional_properties=False,
)


class TapCustobar(BaseTap):
    """Singer tap for Custobar."""

    name = "tap-custobar"
    declarations = tuple(stream.declaration() for stream in STREAMS)

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
            th.StringType(pattern=COMPANY),
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
            th.IntegerType(minimum=1, maximum=100_000),
            title="Page size",
            description=(
                "Records to ask for at once, at most 10,000, or 100,000 with response_format csv. "
                "Unset means as many as that; lower it only when answers time out."
            ),
        ),
        th.Property(
            "request_interval",
            th.NumberType(minimum=0, maximum=86_400),
            default=1.0,
            title="Request interval",
            description=(
                "Least seconds between the starts of two requests, over all streams. Custobar "
                "is known to limit requests to about 180 a minute; time spent working counts."
            ),
        ),
        th.Property(
            "request_timeout",
            th.NumberType(exclusive_minimum=0, maximum=86_400),
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
            "discover_custom_fields",
            th.BooleanType(),
            default=True,
            title="Discover custom fields",
            description=(
                "Ask Custobar for the names of the company's own fields when there is no "
                "catalog. Turn it off to discover without a connection."
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
                "read), order (fields to order by, a leading dash means descending), "
                "custom_fields (the types of the company's own fields), hash (properties whose "
                "values leave as hashes) and keep (properties that personal_data leaves alone)."
            ),
            examples=[
                {
                    "customers": {
                        "filters": {"can_email": True},
                        "order": ["last_name", "-email"],
                        "custom_fields": {"acme__loyalty_points": "integer"},
                    }
                }
            ],
        ),
        th.Property(
            "personal_data",
            th.StringType(allowed_values=["keep", PSEUDONYMIZE]),
            default="keep",
            title="Personal data",
            description=(
                "pseudonymize hashes what identifies a person under hash_key, and does not ask "
                "Custobar for what describes one, nor for the company's own fields; hash and keep "
                "in stream_options name exceptions."
            ),
        ),
        th.Property(
            "hash_key",
            th.StringType(),
            secret=True,
            title="Hash key",
            description=(
                "Required where anything is hashed: a random text of at least 16 characters that "
                "you keep to yourself. Hashes are HMAC-SHA-256 under it; another key gives others."
            ),
        ),
        th.Property(
            "response_format",
            th.StringType(allowed_values=["json", "csv"]),
            default="json",
            title="Response format",
            description=(
                "What the records travel in; csv is for big "
                "tables: ten times as many records for each request."
            ),
        ),
        th.Property(
            "start_date",
            th.StringType(),
            title="Start date",
            description=(
                "Of streams that are read incrementally: nothing older than this is read. A date "
                "or a date-time."
            ),
            examples=["2024-01-01", "2024-01-01T00:00:00Z"],
        ),
        th.Property(
            "lookback_days",
            th.IntegerType(minimum=0, maximum=36_500),
            default=1,
            title="Look-back",
            description=(
                "Of streams that are read incrementally: days before the bookmark to read again, "
                "for what comes to Custobar late."
            ),
        ),
        th.Property(
            "timezone",
            th.StringType(),
            default="UTC",
            title="Time zone",
            description=(
                "IANA name of the zone of date-times that come without one, like "
                "Europe/Helsinki. All date-times leave in UTC."
            ),
            examples=["Europe/Helsinki"],
        ),
        th.Property(
            "resume",
            th.BooleanType(),
            default=True,
            title="Resume",
            description=(
                "Go on where an interrupted run of the last 20 hours ended. Turn it off where the "
                "target replaces a table with what one run brings (load_method: overwrite): no "
                "checkpoint is kept or used then, and each run reads its tables from the start."
            ),
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
        th.Property(
            "batch_config",
            BATCH_CONFIG,
            title="Batch Configuration",
            description=(
                "Write the records into files and tell the target where they are, instead of "
                "sending them one by one."
            ),
        ),
    ).to_dict()

    def discover_streams(self) -> Sequence[CustobarStream]:
        """Return all streams, with the properties that discovery finds."""
        return [stream(self, self.discovered[stream.name]) for stream in STREAMS]
