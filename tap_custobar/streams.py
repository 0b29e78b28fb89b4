"""The streams: a class for each list of the API, without logic."""

from __future__ import annotations

from typing import ClassVar

from tap_custobar.catalog.shapes import LineItemShape
from tap_custobar.request import CAMPAIGN_API
from tap_custobar.stream import CustobarStream


class CustomersStream(CustobarStream):
    """The company's customers."""

    name = "customers"
    path = "/data/customers/"
    primary_keys: ClassVar = ("external_id",)


class ProductsStream(CustobarStream):
    """The company's products."""

    name = "products"
    path = "/data/products/"
    primary_keys: ClassVar = ("external_id",)
    valid_replication_keys = ("date",)


class SalesStream(CustobarStream):
    """The company's sales: whole, or as their line items, whichever way Custobar lists them."""

    name = "sales"
    path = "/data/sales/"
    primary_keys: ClassVar = ("external_id",)
    valid_replication_keys = ("date",)
    line_items = LineItemShape(
        "sales_as_rows", ("sale_external_id", "external_id"), ("sale_date",), nested_in="products"
    )
    selected_by_default = False


class EventsStream(CustobarStream):
    """Events of customers."""

    name = "events"
    path = "/data/events/"
    primary_keys: ClassVar = ("event_key",)
    surrogate_key = "event_key"
    valid_replication_keys = ("date",)
    selected_by_default = False


class CampaignsStream(CustobarStream):
    """The company's campaigns, with their statistics."""

    name = "campaigns"
    path = "/campaign/actions/"
    primary_keys: ClassVar = ("campaign_key",)
    endpoint = CAMPAIGN_API
    selected_by_default = False


STREAMS: tuple[type[CustobarStream], ...] = (
    CustomersStream,
    ProductsStream,
    SalesStream,
    EventsStream,
    CampaignsStream,
)
