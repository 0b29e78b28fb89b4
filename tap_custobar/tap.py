"""The tap: its settings and its list of streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from singer_sdk import typing as th

from tap_custobar.catalog.custom_fields import JSON_SCHEMAS
from tap_custobar.config.settings import PSEUDONYMIZE, Settings
from tap_custobar.singer.tap import BaseTap
from tap_custobar.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_custobar.stream import CustobarStream

#: What the settings are without a config.
DEFAULTS = Settings()

#: A company's name, or its Custobar address, from which the name is taken.
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
        description="Field name to the value that its records must have; all filters must match.",
        examples=[{"can_email": True}],
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
        description="Name of a custom field (one of the company's own) to its type at Custobar.",
        examples=[{"acme__loyalty_points": "integer"}],
    ),
    th.Property(
        "hash",
        th.ArrayType(PROPERTY),
        title="Hash",
        description="Properties to hash with hash_key.",
    ),
    th.Property(
        "keep",
        th.ArrayType(PROPERTY),
        title="Keep",
        description="Properties that personal_data: pseudonymize leaves unchanged.",
    ),
    additional_properties=False,
)

#: The SDK's own setting, with the properties that it requires.
BATCH_CONFIG = th.ObjectType(
    th.Property(
        "encoding",
        th.ObjectType(
            th.Property(
                "format",
                th.StringType(allowed_values=["jsonl", "parquet"], nullable=False),
                required=True,
                title="Format",
                description="Format of the files; parquet requires the package pyarrow.",
            ),
            th.Property(
                "compression",
                th.StringType(allowed_values=["gzip", "none"]),
                title="Compression",
                description="Compression of the files.",
            ),
            additional_properties=False,
            nullable=False,
        ),
        required=True,
        title="Encoding",
        description="Encoding of the files: a format (jsonl or parquet) and a compression (gzip).",
    ),
    th.Property(
        "storage",
        th.ObjectType(
            th.Property(
                "root",
                th.StringType(nullable=False),
                required=True,
                title="Root",
                description="The folder or URL that the files are written to.",
                examples=["file:///tmp/batches"],
            ),
            th.Property(
                "prefix",
                th.StringType(),
                title="Prefix",
                description="Prefix of the file names.",
            ),
            th.Property(
                "params",
                th.CustomType({"type": ["object"]}),
                title="Parameters",
                description="Parameters for fsspec, like the credentials of the storage.",
            ),
            additional_properties=False,
            nullable=False,
        ),
        required=True,
        title="Storage",
        description="Where the files are written: a root (a folder or URL) and a prefix.",
    ),
    th.Property(
        "batch_size",
        th.IntegerType(minimum=1),
        title="Batch size",
        description="Maximum number of records per file.",
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
                "The first part of your Custobar address: acme for https://acme.custobar.com. "
                "Either company or api_url is required."
            ),
            examples=["acme"],
        ),
        th.Property(
            "api_url",
            th.StringType(),
            title="API URL",
            description=(
                "The whole base URL up to /api, for companies with their own domain, for "
                "app.custobar.com or for the sandbox. Takes precedence over company. Must be "
                "https, except on a loopback address."
            ),
            examples=["https://app.custobar.com/api"],
        ),
        th.Property(
            "auth_scheme",
            th.StringType(allowed_values=["Token", "Bearer"]),
            default=DEFAULTS.auth_scheme,
            title="Authorization scheme",
            description=(
                "The word before the token in the Authorization header. Try the other one if "
                "Custobar responds with 401 to a valid token."
            ),
        ),
        th.Property(
            "page_size",
            th.IntegerType(minimum=1, maximum=100_000),
            title="Page size",
            description=(
                "Records per request, at most 10,000, or 100,000 with response_format csv. By "
                "default the maximum; lower it only if responses time out."
            ),
        ),
        th.Property(
            "request_interval",
            th.NumberType(minimum=0, maximum=86_400),
            default=DEFAULTS.request_interval,
            title="Request interval",
            description=(
                "Minimum seconds between the starts of two requests, over all streams; processing "
                "time counts. Custobar is known to limit requests to about 180 a minute."
            ),
        ),
        th.Property(
            "request_timeout",
            th.NumberType(exclusive_minimum=0, maximum=86_400),
            default=DEFAULTS.request_timeout,
            title="Request timeout",
            description=(
                "Seconds without data after which a request is cancelled and retried; a whole "
                "response may take three times as long."
            ),
        ),
        th.Property(
            "max_retries",
            th.IntegerType(minimum=0),
            default=DEFAULTS.max_retries,
            title="Retries",
            description=(
                "How many times a request is retried before its stream fails. Its retries also end "
                "after 15 minutes of waiting in total."
            ),
        ),
        th.Property(
            "discover_custom_fields",
            th.BooleanType(),
            default=DEFAULTS.discover_custom_fields,
            title="Discover custom fields",
            description=(
                "Request the names of custom fields (the company's own) from Custobar if there is "
                "no catalog. Turn it off to discover without a connection."
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
                "For each stream: filters (only records with these field values are read), order "
                "(fields to order by; a leading dash means descending), custom_fields (the types "
                "of custom fields), hash (properties to hash) and keep (properties that "
                "personal_data leaves unchanged)."
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
            default=DEFAULTS.personal_data,
            title="Personal data",
            description=(
                "pseudonymize hashes properties that identify a person with hash_key, and requests "
                "neither properties that describe a person nor custom fields; hash and keep in "
                "stream_options set exceptions."
            ),
        ),
        th.Property(
            "hash_key",
            th.StringType(),
            secret=True,
            title="Hash key",
            description=(
                "Required if anything is hashed: a random, secret string of at least 16 "
                "characters. Hashes are HMAC-SHA-256 with this key; another key gives other "
                "hashes."
            ),
        ),
        th.Property(
            "response_format",
            th.StringType(allowed_values=["json", "csv"]),
            default=DEFAULTS.response_format,
            title="Response format",
            description=(
                "Format of the responses; csv suits big tables, with ten times as many records per "
                "request."
            ),
        ),
        th.Property(
            "start_date",
            th.StringType(),
            title="Start date",
            description=(
                "For streams that are read incrementally: records older than this are not read. A "
                "date or a timestamp."
            ),
            examples=["2024-01-01", "2024-01-01T00:00:00Z"],
        ),
        th.Property(
            "lookback_days",
            th.IntegerType(minimum=0, maximum=36_500),
            default=DEFAULTS.lookback_days,
            title="Look-back",
            description=(
                "For streams that are read incrementally: days before the bookmark to read again, "
                "for records that reach Custobar late."
            ),
        ),
        th.Property(
            "timezone",
            th.StringType(),
            default=DEFAULTS.timezone,
            title="Time zone",
            description=(
                "IANA name of the time zone of timestamps without one, like Europe/Helsinki. All "
                "timestamps are written in UTC."
            ),
            examples=["Europe/Helsinki"],
        ),
        th.Property(
            "resume",
            th.BooleanType(),
            default=DEFAULTS.resume,
            title="Resume",
            description=(
                "Resume an interrupted sync of the last 20 hours. Turn it off if the target "
                "replaces a table with the records of one run (load_method: overwrite): then no "
                "checkpoint is written or used, and each run reads its tables from the start."
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
                "After a whole table is read, make the target delete the rows that no longer exist "
                "at Custobar."
            ),
        ),
        th.Property(
            "batch_config",
            BATCH_CONFIG,
            title="Batch Configuration",
            description=(
                "Write records to files and send their locations to the target, instead of one "
                "message per record."
            ),
        ),
    ).to_dict()

    def discover_streams(self) -> Sequence[CustobarStream]:
        """Return all streams, with the properties that discovery found."""
        return [stream(self, self.discovered[stream.name]) for stream in STREAMS]
