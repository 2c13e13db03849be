"""The `prefect-azure` command."""
