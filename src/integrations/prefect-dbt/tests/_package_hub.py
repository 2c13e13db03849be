"""A hub of dbt packages on this machine, and the packages themselves.

Its form is that of https://github.com/dbt-labs/hub.getdbt.com: a JSON file for each package, which names a tarball of
each version.
"""

from __future__ import annotations

import functools
import http.server
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VERSION = "1.0.0"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the base class
        """Say nothing."""


@contextmanager
def package_hub(folder: Path) -> Iterator[str]:
    """Serve a folder while the context lasts, and give its URL."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="package-hub", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def publish(folder: Path, url: str, packages: Mapping[str, Sequence[str]]) -> None:
    """Write packages of `acme` for a hub.

    Args:
        folder: What the hub serves.
        url: Where the hub is, without a path, as those who ask it see it.
        packages: What each one depends on.
    """
    about = folder / "api" / "v1"
    (about / "acme").mkdir(parents=True, exist_ok=True)
    (about / "index.json").write_text(json.dumps([f"acme/{name}" for name in packages]))
    for name, others in packages.items():
        version = {
            "name": name,
            "version": VERSION,
            "packages": [{"package": f"acme/{other}", "version": VERSION} for other in others],
            "downloads": {"tarball": f"{url}/{name}.tar.gz"},
        }
        said = {"name": name, "namespace": "acme", "latest": VERSION, "versions": {VERSION: version}}
        (about / "acme" / f"{name}.json").write_text(json.dumps(said))
        _write_tarball(folder / f"{name}.tar.gz", name, others)


def _write_tarball(path: Path, name: str, others: Sequence[str]) -> None:
    top = f"{name}-{VERSION}"
    calls = "".join(f"{{{{ {other}.answer() }}}}" for other in others)
    files = {
        "dbt_project.yml": json.dumps({"name": name, "version": VERSION, "macro-paths": ["macros"]}),
        "macros/answer.sql": f"{{% macro answer() %}}{calls or 42}{{% endmacro %}}\n",
    }
    with tarfile.open(path, "w:gz") as tarball:
        folder = tarfile.TarInfo(top)
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        tarball.addfile(folder)
        for relative, text in files.items():
            entry = tarfile.TarInfo(f"{top}/{relative}")
            entry.size = len(text)
            tarball.addfile(entry, io.BytesIO(text.encode()))
