"""Run a command that prints much, in one of the ways that the package offers; print seconds and lines read."""

import asyncio
import json
import os
import sys
import time

from prefect import flow

from prefect_shell import ShellOperation, shell_run_command


def clocks() -> tuple[float, float]:
    """Wall seconds, and CPU seconds of this process and the children that it waited for."""
    return time.perf_counter(), sum(os.times()[:4])


def operation(script: str, stream_output: bool) -> tuple[tuple[float, float], int]:
    shell = ShellOperation(commands=[script], stream_output=stream_output)
    begin = clocks()
    lines = shell.run()
    end = clocks()
    return (end[0] - begin[0], end[1] - begin[1]), len(lines)


def command(script: str) -> tuple[tuple[float, float], int]:
    @flow
    async def run() -> tuple[tuple[float, float], int]:
        begin = clocks()
        # Logged at debug, which Prefect drops by default: the pipes are measured, not the log.
        lines = await shell_run_command(script, return_all=True, stream_level=10)
        end = clocks()
        return (end[0] - begin[0], end[1] - begin[1]), len(lines)

    return asyncio.run(run())


def main() -> None:
    way, stream, megabytes = sys.argv[1], sys.argv[2], int(sys.argv[3])
    script = f"yes {'x' * 99} | head -n {megabytes * 10_000}"
    if stream == "stderr":
        script += " >&2"
    (wall, cpu), lines = command(script) if way == "command" else operation(script, way == "logged")
    print(json.dumps({"wall_s": wall, "cpu_s": cpu, "lines": lines}))


if __name__ == "__main__":
    main()
