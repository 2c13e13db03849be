"""Workers that run flows at Snowflake."""
