"""Start a child: `python path/to/child`; or what children are forked from: `… fork-server SOCKET IDLE_SECONDS`."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import sys
from pathlib import Path

_NAME = "prefect_dbt_child"


def _load() -> None:
    """Make a package of this folder, under a name that needs nothing on the path."""
    folder = Path(__file__).resolve().parent
    # Python put this folder in front; our modules must not hide anybody's.
    if sys.path and Path(sys.path[0]).resolve() == folder:
        del sys.path[0]
    spec = importlib.machinery.ModuleSpec(_NAME, None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    sys.modules[_NAME] = importlib.util.module_from_spec(spec)


if __name__ == "__main__":
    _load()
    if sys.argv[1:2] == ["fork-server"]:
        importlib.import_module(f"{_NAME}.forking").main(int(sys.argv[2]), float(sys.argv[3]))
    else:
        importlib.import_module(f"{_NAME}.serving").main()
