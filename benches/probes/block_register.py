"""Run `prefect block register -m MODULE`, and print what the whole process took.

Arguments: the module, URL of the Prefect API.
"""

import json
import os
import re
import sys

from _commands import prefect
from _process import age_seconds, cpu_seconds, peak_mib
from _requests import Requests


def main(module: str) -> dict[str, float]:
    """Register and measure."""
    requests = Requests(os.environ["PREFECT_API_URL"])
    requests.watch_httpx()  # the others would import what the command may not need
    said = prefect("block", "register", "-m", module)
    found = re.search(r"registered (\d+) block", said)
    return {
        "wall_s": age_seconds(),
        "cpu_s": cpu_seconds(),
        "peak_mib": peak_mib(),
        "calls": requests.counts["prefect"],
        "blocks": int(found[1]) if found else 0,
        "modules": len(sys.modules),
    }


if __name__ == "__main__":
    os.environ["PREFECT_API_URL"] = sys.argv[2]
    print(json.dumps(main(sys.argv[1])))
