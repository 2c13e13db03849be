"""Import a module after Prefect and print what it cost."""

import gc
import importlib
import json
import os
import sys
import time

from prefect import flow, task  # noqa: F401
from prefect.blocks.core import Block  # noqa: F401


def resident_mib() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


gc.collect()
modules, memory, cpu = len(sys.modules), resident_mib(), time.process_time()
importlib.import_module(sys.argv[1])
cpu = time.process_time() - cpu
print(json.dumps({"cpu_ms": cpu * 1000, "rss_mib": resident_mib() - memory, "modules": len(sys.modules) - modules}))
