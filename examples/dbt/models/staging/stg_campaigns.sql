select campaign_key, kind, automated as is_automated, name, state, utm_campaign
from {{ source('custobar', 'campaigns') }}
