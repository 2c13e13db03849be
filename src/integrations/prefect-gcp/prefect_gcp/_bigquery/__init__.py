"""BigQuery: jobs, their configuration, and rows."""
