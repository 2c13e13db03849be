"""What holds for database blocks."""

from __future__ import annotations

from .database_fetches import DatabaseFetchSuite
from .database_lifetime import DatabaseLifetimeSuite
from .database_statements import DatabaseStatementSuite


class DatabaseSuite(DatabaseFetchSuite, DatabaseStatementSuite, DatabaseLifetimeSuite):
    """Checks a block that executes SQL: fetches, statements and parameters, and the life of the block.

    The package gives `database`, and `refused_database` with `names_of_refused` if its server asks who we are.
    What differs between databases are the class attributes of `DatabaseBase`.

    ```python
    class TestConnector(DatabaseSuite):
        reset_method = "reset_connections"

        @pytest.fixture
        def database(self, canary):
            with SqlAlchemyConnector(connection_info=f"mysql+pymysql://shop:{quote_plus(canary)}@…") as block:
                yield block
    ```
    """
