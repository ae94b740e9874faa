"""The figures of GET /metrics: sums of calls that have ended, kept here, and the texts that a scraper reads."""
