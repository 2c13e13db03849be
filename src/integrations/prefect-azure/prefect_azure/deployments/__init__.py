"""What a `prefect.yaml` calls."""
