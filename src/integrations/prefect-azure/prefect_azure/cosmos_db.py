"""Cosmos DB: tasks that query, read, create, replace, patch and delete items."""

from __future__ import annotations

from ._cosmos.query_tasks import (
    acosmos_db_query_pages,
    cosmos_db_query_items,
    cosmos_db_query_pages,
    cosmos_db_read_item,
)
from ._cosmos.write_tasks import (
    cosmos_db_create_item,
    cosmos_db_delete_item,
    cosmos_db_patch_item,
    cosmos_db_replace_item,
    cosmos_db_upsert_item,
)
from .credentials import AzureCosmosDbCredentials

__all__ = [
    "AzureCosmosDbCredentials",
    "acosmos_db_query_pages",
    "cosmos_db_create_item",
    "cosmos_db_delete_item",
    "cosmos_db_patch_item",
    "cosmos_db_query_items",
    "cosmos_db_query_pages",
    "cosmos_db_read_item",
    "cosmos_db_replace_item",
    "cosmos_db_upsert_item",
]
