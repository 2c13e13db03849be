"""Parts of the local Databricks workspace."""
