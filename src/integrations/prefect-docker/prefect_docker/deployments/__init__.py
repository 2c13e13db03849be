"""Deployment steps of a `prefect.yaml`."""
