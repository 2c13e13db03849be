"""Start a program and say what it used; a process of its own, because it is small.

The system counts the memory of whoever starts a program as the program's own, at its start: a probe that needs less
than the bench would seem to need as much. Arguments: file for the answer, program, its arguments.
"""

import json
import os
import sys
from pathlib import Path


def main(answer: str, *command: str) -> None:
    """Start, wait, answer."""
    pid = os.posix_spawn(command[0], command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    used = {
        "code": os.waitstatus_to_exitcode(status),
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mib": usage.ru_maxrss / 1024,
    }
    Path(answer).write_text(json.dumps(used), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
