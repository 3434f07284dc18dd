"""Tools without nouns of the product: errors, ids, clock, paging, the API base, page rendering. No models."""
