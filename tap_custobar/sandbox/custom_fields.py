"""A company's custom fields: one of each of Custobar's types for each stream, and two odd ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_custobar.sandbox.records import NEVER, Field, FieldGroup
from tap_custobar.sandbox.values import mixed

if TYPE_CHECKING:
    from collections.abc import Mapping

CUSTOMERS: Mapping[str, str] = {
    "acme__is_member": "boolean",
    "acme__home_market": "country_code",
    "acme__member_since": "date",
    "acme__last_visit": "datetime",
    "acme__name_day": "day_of_year",
    "acme__invoice_email": "email",
    "acme__loyalty_points": "integer",
    "acme__service_language": "language_code",
    "acme__recent_searches": "list",
    "acme__credit_limit": "money",
    "acme__engagement_score": "number",
    "acme__preferences": "object",
    "acme__work_phone": "phone_number",
    "acme__interests": "set",
    "acme__note": "string",
}
PRODUCTS: Mapping[str, str] = {
    "acme__is_fragile": "boolean",
    "acme__country_of_origin": "country_code",
    "acme__release_date": "date",
    "acme__restocked_at": "datetime",
    "acme__season_start": "day_of_year",
    "acme__buyer_email": "email",
    "acme__pages": "integer",
    "acme__original_language": "language_code",
    "acme__search_terms": "list",
    "acme__deposit": "money",
    "acme__volume_litres": "number",
    "acme__dimensions": "object",
    "acme__support_phone": "phone_number",
    "acme__materials": "set",
    "acme__care_instructions": "string",
}
SALES: Mapping[str, str] = {
    "acme__is_gift": "boolean",
    "acme__ship_from_country": "country_code",
    "acme__promised_date": "date",
    "acme__picked_at": "datetime",
    "acme__anniversary": "day_of_year",
    "acme__seller_email": "email",
    "acme__parcels": "integer",
    "acme__receipt_language": "language_code",
    "acme__campaign_words": "list",
    "acme__margin": "money",
    "acme__weight_kilos": "number",
    "acme__packing": "object",
    "acme__pickup_phone": "phone_number",
    "acme__channels": "set",
    "acme__greeting": "string",
}
EVENTS: Mapping[str, str] = {
    "acme__is_first_visit": "boolean",
    "acme__visitor_country": "country_code",
    "acme__campaign_date": "date",
    "acme__expires_at": "datetime",
    "acme__reminder_day": "day_of_year",
    "acme__referrer_email": "email",
    "acme__seconds_on_page": "integer",
    "acme__page_language": "language_code",
    "acme__words_searched": "list",
    "acme__basket_value": "money",
    "acme__scroll_depth": "number",
    "acme__device": "object",
    "acme__callback_phone": "phone_number",
    "acme__segments": "set",
    "acme__comment": "string",
}


def custom_fields(types: Mapping[str, str]) -> tuple[FieldGroup, ...]:
    """Return the field groups of a stream's custom fields.

    The first has the fields of the given names and types; the second has one field of mixed
    types, and one that no record has.
    """
    return (
        tuple(Field(name=name, type=type_) for name, type_ in types.items()),
        (
            Field(name="acme__legacy_code", type="string", make=mixed),
            Field(name="acme__unused", type="string", share=NEVER),
        ),
    )
