"""Run commands one after the other; print seconds, CPU seconds and the peak memory of the largest."""

import json
import os
import resource
import subprocess
import sys
import time


def main() -> None:
    commands = json.loads(sys.argv[1])
    begin, before = time.perf_counter(), os.times()
    for command in commands:
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        # 1 is what ours says of docstrings that do not parse; the pages are written.
        if done.returncode not in (0, 1):
            sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    wall, after = time.perf_counter() - begin, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(json.dumps({"wall_s": wall, "cpu_s": cpu, "peak_mib": peak}))


if __name__ == "__main__":
    main()
