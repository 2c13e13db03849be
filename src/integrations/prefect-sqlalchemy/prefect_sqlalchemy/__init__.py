"""Query SQL databases from Prefect flows through SQLAlchemy."""

from .credentials import AsyncDriver, ConnectionComponents, SyncDriver
from .database import AsyncSqlAlchemyConnector, SqlAlchemyConnector

__version__ = "0.7.0"

__all__ = [
    "AsyncDriver",
    "AsyncSqlAlchemyConnector",
    "ConnectionComponents",
    "SqlAlchemyConnector",
    "SyncDriver",
]
