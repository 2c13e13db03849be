"""prefect-shell."""
