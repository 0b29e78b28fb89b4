with recursive purchases as (
    -- One row for each customer and month with a purchase.
    select
        coalesce(customers.person_id, sales.customer_id) as person_id,
        cast(date_trunc('month', sales.sold_at) as date) as month,
        sum(coalesce(sales.total_cents, 0)) as spent_cents
    from {{ ref('stg_sales') }} as sales
    left join {{ ref('stg_customers') }} as customers using (customer_id)
    where sales.is_sold and sales.customer_id is not null and sales.sold_at is not null
    group by 1, 2
),

months as (
    select min(month) as month, max(month) as last_month from purchases
    union all
    select cast(month + interval '1 month' as date), last_month
    from months
    where month < last_month
),

customers as (
    -- One row for each month and customer who had bought by its end.
    select
        months.month,
        min(purchases.month) as first_month,
        max(purchases.month)
        > months.month - interval '{{ var("active_months") }} months' as is_active,
        sum(purchases.spent_cents) as spent_cents
    from months
    inner join purchases on purchases.month <= months.month
    group by months.month, purchases.person_id
)

select
    month,
    count(*) filter (where first_month = month) as new_customers,
    count(*) filter (where is_active) as active_customers,
    count(*) filter (where not is_active) as passive_customers,
    cast(sum(spent_cents) as bigint) as total_spent_cents,
    cast(round(sum(spent_cents) / count(*)) as bigint) as lifetime_value_cents
from customers
group by month
order by month
