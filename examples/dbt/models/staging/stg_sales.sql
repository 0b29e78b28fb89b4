with sales as (
    {% if var('sales_shape') == 'line_items' %}
    -- What belongs to the whole sale is repeated on each of its line items.
    select
        sale_external_id as sale_id,
        max(sale_customer_id) as customer_id,
        max(sale_date) as sold_at,
        max(upper(sale_state)) as state,
        max(sale_total) as total_cents
    from {{ source('custobar', 'sales_as_rows') }}
    group by sale_external_id
    {% else %}
    select
        external_id as sale_id,
        customer_id,
        date as sold_at,
        upper(state) as state,
        total as total_cents
    from {{ source('custobar', 'sales') }}
    {% endif %}
)

select
    *,
    coalesce(state, '') not in ('{{ var("states_of_no_sale") | join("', '") }}') as is_sold
from sales
