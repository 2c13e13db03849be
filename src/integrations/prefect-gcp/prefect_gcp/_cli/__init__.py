"""The `prefect-gcp` command."""
