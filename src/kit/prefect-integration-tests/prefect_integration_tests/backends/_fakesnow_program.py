"""fakesnow as a program of its own: `python -m prefect_integration_tests.backends._fakesnow_program PORT FOLDER`.

Errors of DuckDB that fakesnow does not know would be answered by 500, which the connector repeats for ever; here they
are errors of SQL, as Snowflake has them.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from .processes import HOST

_CONSTRAINT = (100072, "22000")  # NULL result in a non-nullable column
_ANY = (1003, "42000")


def _mend() -> None:
    import duckdb
    from fakesnow.cursor import FakeSnowflakeCursor
    from snowflake.connector.errors import ProgrammingError

    execute: Any = FakeSnowflakeCursor.execute

    def execute_here(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return execute(self, *args, **kwargs)
        except duckdb.ConstraintException as exc:
            raise ProgrammingError(msg=str(exc), errno=_CONSTRAINT[0], sqlstate=_CONSTRAINT[1]) from exc
        except (duckdb.Error, NotImplementedError) as exc:
            raise ProgrammingError(msg=str(exc), errno=_ANY[0], sqlstate=_ANY[1]) from exc

    FakeSnowflakeCursor.execute = execute_here


def _main(port: int, folder: str) -> None:
    os.chdir(folder)
    _mend()
    import fakesnow.server
    import uvicorn

    uvicorn.run(fakesnow.server.app, host=HOST, port=port, log_level="error", access_log=False)


if __name__ == "__main__":
    _main(int(sys.argv[1]), sys.argv[2])
