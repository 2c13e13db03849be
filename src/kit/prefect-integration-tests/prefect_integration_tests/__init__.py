"""prefect-integration-tests."""
