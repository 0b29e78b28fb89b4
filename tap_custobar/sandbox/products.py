"""The sample products: every documented field and custom fields."""

from __future__ import annotations

from tap_custobar.sandbox.custom_fields import PRODUCTS, custom_fields
from tap_custobar.sandbox.records import ALWAYS, Field, Stream, key_field
from tap_custobar.sandbox.values import Make, Value, appeared_at, choice, several

# Names and ids, from the widest category to the narrowest.
_CATEGORIES = (
    (("books", "novels"), ("10", "101")),
    (("books", "cookery", "baking"), ("10", "102", "1021")),
    (("keittiö", "astiat"), ("20", "201")),
    (("lelut", "puulelut"), ("30", "301")),
    (("pyöräily",), ("40",)),
)
_THINGS = ("Kahvimuki", "Pannumyssy", "Runokirja", "Puujuna", "Pyörän kello", "Keittokirja")
_VARIANTS = ("sininen", "vihreä", '3/4"', "S, M tai L")
_MAKERS = ("Näyte & Co", "Saaristo", "Acme", "Höyläämö", "Bok, Björk & Bäck", "Tähti ⭐")
_SHOPS = ("verkkokauppa", "helsinki", "east-london")
_DESCRIPTIONS = (
    "<p>Käsintehty, kestää konepesun.</p>",
    '<p class="lead">"Paras ostos vuosiin", sanoo asiakas</p>',
    "Kaksi riviä:\ntoinen on tämä.",
    "Sopii lahjaksi 🎁, myös itselle",
)


def _filed_under(ids: int) -> Make:
    # The API sends the category of some shops as a string and of others as a list.
    def make(n: int, _i: int) -> Value:
        path = _CATEGORIES[n % 5][ids]
        return list(path) if n // 5 % 3 == 0 else path[0]

    return make


def _priced_at(percent: int) -> Make:
    return lambda n, _i: (195 + n % 400 * 50) * percent // 100


def _sale_price(n: int, _i: int) -> Value:
    # One in fifty costs more on sale, as in the data of real shops.
    return (195 + n % 400 * 50) * (110 if n // 400 % 50 == 0 else 80) // 100


def _other_products(n: int, i: int) -> Value:
    return [f"P{1 + (n + step) % (i + 1):08d}" for step in range(1 + n % 3)]


def _title(n: int, _i: int) -> Value:
    name = f"{_THINGS[n % 6]} {_VARIANTS[n // 6 % 4]}"
    return f"{name} 🎉" if n // 24 % 10 == 0 else name


def _stock(n: int, _i: int) -> Value:
    return [{"shop_id": shop, "quantity": n // 4 % 90} for shop in _SHOPS[: 1 + n % 3]]


def _price(name: str, make: Make) -> Field:
    return Field(name=name, type="money", make=make, correlated_with="price")


IDENTITY = (
    key_field("P"),
    Field(name="ean", type="string", make=lambda n, _i: f"64{n:011d}"),
    Field(name="sku", type="string", make=lambda n, i: f"SKU-{n % 100:02d}-{i}"),
    Field(name="date", type="datetime", make=appeared_at, share=ALWAYS, increasing=True),
    Field(name="url", type="string", make=lambda _n, i: f"https://kauppa.example/tuote/{i}?l=fi"),
    Field(name="image", type="string", make=lambda _n, i: f"https://img.example/p/{i}.jpg"),
    Field(name="main_product_ids", type="list", make=_other_products),
    Field(name="recommendation_set_ids", type="list", make=_other_products),
)
SHELF = (
    Field(name="type", type="string", make=choice(("Paperback", "Astia", "Lelu", "Varuste"))),
    Field(name="category", type="string", make=_filed_under(0)),
    Field(name="category_id", type="string", make=_filed_under(1), correlated_with="category"),
    Field(name="vendor", type="string", make=choice(_MAKERS)),
    Field(name="brand", type="string", make=choice(_MAKERS), correlated_with="vendor"),
    Field(name="title", type="string", make=_title),
    Field(name="language", type="language_code"),
    Field(
        name="tags", type="list", make=several(("bestseller", "new-arrival", "ale", "lähituote"))
    ),
    Field(name="visible", type="boolean", make=lambda n, _i: n % 10 != 0),
    Field(name="exclude_from_recommendations", type="boolean", make=lambda n, _i: n % 20 == 0),
    Field(name="rating", type="number", make=lambda n, _i: (10 + n % 41) / 10),
)
PRICES = (
    Field(name="price", type="money", make=_priced_at(100)),
    _price("sale_price", _sale_price),
    _price("lowest_price", _priced_at(70)),
    _price("price_before_campaign", _priced_at(100)),
    _price("highest_price", _priced_at(120)),
    Field(name="unit", type="string", make=choice(("kpl", "pcs", "m", "l"))),
    Field(name="weight", type="string", make=lambda n, _i: f"{50 + n % 200 * 10}g"),
)
STOCK = (
    Field(name="in_stock", type="boolean"),
    Field(name="stock", type="list", make=_stock),
    Field(name="shop_id", type="string", make=choice(_SHOPS)),
    Field(name="description", type="string", make=choice(_DESCRIPTIONS)),
    Field(name="short_description", type="string", make=choice(_DESCRIPTIONS)),
)


def products(size: int, seed: int = 0) -> Stream:
    """Return a stream of `size` products."""
    return Stream(
        "products",
        size,
        seed,
        own=IDENTITY,
        shared=(SHELF, PRICES, STOCK, *custom_fields(PRODUCTS)),
    )
