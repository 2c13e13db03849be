"""The front before fakesnow: what Snowflake does beside SQL."""
