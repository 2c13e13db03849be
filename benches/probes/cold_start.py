"""Load every installed collection, over what a process of Prefect has loaded already, and print what it cost."""

import gc
import json
import os
import sys
import time
from importlib import import_module

from _process import peak_mib, resident_mib

# What `prefect worker start`, a temporary server and the load of a saved block have all loaded before.
OWN = (
    *("prefect", "prefect.flows", "prefect.tasks", "prefect.main", "prefect.plugins", "prefect.client.orchestration"),
    *("prefect.blocks.core", "prefect.blocks.abstract", "prefect.blocks.notifications", "prefect.blocks.system"),
    *("prefect.blocks.webhook", "prefect.filesystems", "prefect.workers.base", "prefect.workers.process"),
    *("prefect.workers.server", "prefect.runner", "prefect.deployments", "prefect.task_runners", "prefect.events"),
)


def main() -> None:
    """Load and measure."""
    for name in OWN:
        import_module(name)
    from prefect.plugins import load_prefect_collections

    gc.collect()
    modules, memory, peak = len(sys.modules), resident_mib(), peak_mib()
    cpu, wall = time.process_time(), time.perf_counter()
    loaded = load_prefect_collections()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    measured = {
        "load_cpu_s": cpu,
        "load_wall_s": wall,
        "rss_mib": resident_mib() - memory,
        "above_mib": peak_mib() - peak,
        "modules": len(sys.modules) - modules,
        "collections": len(loaded),
        "base_mib": memory,
        "base_modules": modules,
    }
    failed = [f"{name}: {result!r}" for name, result in loaded.items() if isinstance(result, Exception)]
    if failed:
        raise SystemExit("\n".join(failed))
    print(json.dumps(measured))


if __name__ == "__main__":
    os.environ["PREFECT_LOGGING_LEVEL"] = "ERROR"
    main()
