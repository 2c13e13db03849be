"""Write everything that follows from the description of Databricks's API.

python -m scripts.databricks            write it
python -m scripts.databricks --check    exit 1 when something is stale
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from scripts.databricks import models, tasks
from scripts.databricks.schema import PACKAGE, SCHEMA, plain, read
from scripts.written import formatted, main


def files() -> Iterator[tuple[Path, bytes]]:
    """Go through the files and what they are to hold."""
    document = read()
    yield SCHEMA.parent / "original" / SCHEMA.name, plain(document).encode()
    for path, source in (
        (PACKAGE / "models" / "jobs.py", models.module_source(document)),
        (PACKAGE / "jobs.py", tasks.module_source(document)),
    ):
        yield path, formatted(source, path).encode()


if __name__ == "__main__":
    sys.exit(main("scripts.databricks", __doc__, files))
