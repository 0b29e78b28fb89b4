select
    external_id as customer_id,
    coalesce(canonical_id, external_id) as person_id,
    email,
    city,
    upper(country) as country,
    lower(language) as language,
    gender,
    date_joined as joined_at
from {{ source('custobar', 'customers') }}
