"""Write everything that follows from GitHub's schema.

python -m scripts.github            write it
python -m scripts.github --check    exit 1 when something is stale
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from scripts.github import schema
from scripts.workspace import ROOT
from scripts.written import formatted, main

PACKAGE = ROOT / "src/integrations/prefect-github/prefect_github"
SERVER = ROOT / "src/kit/prefect-integration-tests/prefect_integration_tests/backends/_github"


def files() -> Iterator[tuple[Path, bytes]]:
    """Go through the files and what they are to hold. The schema comes first: the rest is made with it."""
    yield PACKAGE / "schemas/graphql_schema.json", schema.compact().encode()
    for version in (schema.TODAY, schema.EARLIER):
        yield SERVER / f"schema-{version}.graphql.gz", schema.packed(schema.stripped(version))
    from scripts.github import tasks  # reads the schema that is written above

    for name, text in tasks.configs().items():
        yield PACKAGE / "configs" / name, text.encode()
    for name, each in tasks.modules().items():
        path = PACKAGE / f"{name}.py"
        yield path, formatted(tasks.module_source(name, each), path).encode()


if __name__ == "__main__":
    sys.exit(main("scripts.github", __doc__, files))
