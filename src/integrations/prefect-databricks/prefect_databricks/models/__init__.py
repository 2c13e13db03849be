"""Models of what Databricks's API takes and answers with, one module for each part of the API."""
