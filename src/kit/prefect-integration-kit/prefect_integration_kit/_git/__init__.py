"""What `prefect_integration_kit.git` is made of."""
