"""prefect-aws."""
