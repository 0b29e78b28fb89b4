"""Everything that talks to Custobar: URLs, requests, responses, retries."""
