"""What there is to read: a class for each list of the API, and no logic."""

from __future__ import annotations

from typing import ClassVar

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


STREAMS: tuple[type[CustobarStream], ...] = (CustomersStream, ProductsStream)
