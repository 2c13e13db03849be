"""The `prefect-aws` command."""
