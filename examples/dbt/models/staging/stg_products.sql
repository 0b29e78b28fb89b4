select
    external_id as product_id,
    title,
    brand,
    price as price_cents,
    sale_price as sale_price_cents,
    date as changed_at
from {{ source('custobar', 'products') }}
