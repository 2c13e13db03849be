"""prefect-email."""
