"""Who we are and where the database is: drivers, and the parts of a URL."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Dict, Optional, Union  # noqa: UP035 - the published annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine.url import URL

__all__ = ["AsyncDriver", "ConnectionComponents", "SyncDriver"]


class AsyncDriver(Enum):
    """Known dialects with asynchronous drivers, for `AsyncSqlAlchemyConnector`.

    Attributes:
        POSTGRESQL_ASYNCPG: PostgreSQL by asyncpg.
        SQLITE_AIOSQLITE: SQLite by aiosqlite.
        MYSQL_ASYNCMY: MySQL or MariaDB by asyncmy.
        MYSQL_AIOMYSQL: MySQL or MariaDB by aiomysql.
        ORACLE_ORACLEDB_ASYNC: Oracle by python-oracledb.
    """

    POSTGRESQL_ASYNCPG = "postgresql+asyncpg"
    SQLITE_AIOSQLITE = "sqlite+aiosqlite"
    MYSQL_ASYNCMY = "mysql+asyncmy"
    MYSQL_AIOMYSQL = "mysql+aiomysql"
    ORACLE_ORACLEDB_ASYNC = "oracle+oracledb_async"


class SyncDriver(Enum):
    """Known dialects with synchronous drivers, for `SqlAlchemyConnector`.

    Any other that SQLAlchemy knows works as text, such as `"postgresql+psycopg"` or `"duckdb"`.

    Attributes:
        POSTGRESQL_PSYCOPG2: PostgreSQL by psycopg2.
        POSTGRESQL_PG8000: PostgreSQL by pg8000.
        POSTGRESQL_PSYCOPG2CFFI: PostgreSQL by psycopg2cffi.
        POSTGRESQL_PYPOSTGRESQL: PostgreSQL by py-postgresql, which SQLAlchemy 2 has no dialect for.
        POSTGRESQL_PYGRESQL: PostgreSQL by PyGreSQL, which SQLAlchemy 2 has no dialect for.
        MYSQL_MYSQLDB: MySQL or MariaDB by mysqlclient.
        MYSQL_PYMYSQL: MySQL or MariaDB by PyMySQL.
        MYSQL_MYSQLCONNECTOR: MySQL by MySQL Connector/Python.
        MYSQL_CYMYSQL: MySQL or MariaDB by CyMySQL.
        MYSQL_OURSQL: MySQL by OurSQL, which SQLAlchemy 2 has no dialect for.
        MYSQL_PYODBC: MySQL by pyodbc.
        SQLITE_PYSQLITE: SQLite by Python's own module.
        SQLITE_PYSQLCIPHER: Encrypted SQLite by pysqlcipher3.
        ORACLE_CX_ORACLE: Oracle by cx_Oracle.
        ORACLE_ORACLEDB: Oracle by python-oracledb.
        MSSQL_PYODBC: SQL Server by pyodbc.
        MSSQL_MXODBC: SQL Server by mxODBC, which SQLAlchemy 2 has no dialect for.
        MSSQL_PYMSSQL: SQL Server by pymssql.
    """

    POSTGRESQL_PSYCOPG2 = "postgresql+psycopg2"
    POSTGRESQL_PG8000 = "postgresql+pg8000"
    POSTGRESQL_PSYCOPG2CFFI = "postgresql+psycopg2cffi"
    POSTGRESQL_PYPOSTGRESQL = "postgresql+pypostgresql"
    POSTGRESQL_PYGRESQL = "postgresql+pygresql"

    MYSQL_MYSQLDB = "mysql+mysqldb"
    MYSQL_PYMYSQL = "mysql+pymysql"
    MYSQL_MYSQLCONNECTOR = "mysql+mysqlconnector"
    MYSQL_CYMYSQL = "mysql+cymysql"
    MYSQL_OURSQL = "mysql+oursql"
    MYSQL_PYODBC = "mysql+pyodbc"

    SQLITE_PYSQLITE = "sqlite+pysqlite"
    SQLITE_PYSQLCIPHER = "sqlite+pysqlcipher"

    ORACLE_CX_ORACLE = "oracle+cx_oracle"
    ORACLE_ORACLEDB = "oracle+oracledb"

    MSSQL_PYODBC = "mssql+pyodbc"
    MSSQL_MXODBC = "mssql+mxodbc"
    MSSQL_PYMSSQL = "mssql+pymssql"


class ConnectionComponents(BaseModel):
    """The parts of a database's URL.

    Attributes:
        driver: The driver to use.
        database: The name of the database, for SQLite and DuckDB the path of its file.
        username: The user name to authenticate with.
        password: The password to authenticate with.
        host: The host of the database.
        port: The port of the database; the driver's own default when absent.
        query: Options for the driver, as they stand behind `?` in a URL.

    Example:
        ```python
        from prefect_sqlalchemy import ConnectionComponents, SyncDriver

        components = ConnectionComponents(
            driver=SyncDriver.POSTGRESQL_PSYCOPG2, username="shop", host="db.example.com", database="orders"
        )
        print(components.create_url())
        ```
    """

    model_config = ConfigDict(defer_build=True, hide_input_in_errors=True)

    driver: Union[AsyncDriver, SyncDriver, str] = Field(  # noqa: UP007
        default=..., description="The driver name to use."
    )
    database: Optional[str] = Field(default=None, description="The name of the database to use.")  # noqa: UP045
    username: Optional[str] = Field(default=None, description="The user name used to authenticate.")  # noqa: UP045
    password: Optional[SecretStr] = Field(default=None, description="The password used to authenticate.")  # noqa: UP045
    host: Optional[str] = Field(default=None, description="The host address of the database.")  # noqa: UP045
    port: Optional[int] = Field(default=None, description="The port to connect to the database.")  # noqa: UP045
    query: Optional[Dict[str, str]] = Field(  # noqa: UP006, UP045
        default=None,
        description=(
            "A dictionary of string keys to string values to be passed to the dialect and/or the DBAPI upon connect. "
            "To specify non-string parameters to a Python DBAPI directly, use connect_args."
        ),
    )

    @field_validator("port", mode="before")
    @classmethod
    def _read_port(cls, value: Any) -> Any:
        """Take what a form leaves behind when its field was emptied."""
        return None if isinstance(value, str) and not value.strip() else value

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Show the fields, without a secret in the options."""
        from ._urls import shown_arguments

        for name, value in super().__repr_args__():
            yield name, shown_arguments(value) if name == "query" else value

    def create_url(self) -> URL:
        """Create the URL that SQLAlchemy connects by.

        Returns:
            The URL; its text and its `repr` show the password masked.

        Raises:
            DatabaseUrlUnsupported: If the parts make no URL.
        """
        from ._urls import url_of_components  # SQLAlchemy is heavy: loaded when needed

        return url_of_components(self)
