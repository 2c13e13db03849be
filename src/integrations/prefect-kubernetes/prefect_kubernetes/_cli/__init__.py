"""The `prefect-kubernetes` command."""
