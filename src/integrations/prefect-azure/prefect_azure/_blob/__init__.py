"""What stands behind `prefect_azure.blob_storage`."""
