select event_key, type as event_type, date as happened_at, customer_id, product_id, utm_campaign
from {{ source('custobar', 'events') }}
