"""Cloud Storage, behind `prefect_gcp.cloud_storage`."""
