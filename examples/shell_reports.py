# ---
# title: Reports from shell scripts
# description: Run shell commands from a flow, in parallel and with a time-out, and report on their output.
# icon: terminal
# keywords: ["shell", "bash", "subprocess", "time-out"]
# dependencies: ["prefect-shell"]
# cmd: ["python", "examples/shell_reports.py"]
# order: 2
# ---
#
# Many jobs begin as shell scripts. This flow keeps the scripts and gives them what they lack: logs that belong to a
# run, failures that are seen, and an end for what hangs.
#
# It needs no account and no network: a temporary Prefect server starts with the program and ends with it.

import os
import tempfile
from pathlib import Path

from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.testing.utilities import prefect_test_harness

from prefect_shell import ShellOperation, ShellTimeout, run_args, shell_run_command

# ## Make something to report on
#
# The commands of one block are one script. With `fail_fast` it stops at the first command that fails, and the error
# names that command.


@task
def write_logs(folder: Path) -> list[str]:
    return ShellOperation(
        commands=[
            "for host in alpha beta gamma; do",
            '  seq 1 200 | awk -v host="$host" \'{print host, ($1 % 7 ? "ok" : "error"), $1}\' > "$host.log"',
            "done",
            "ls *.log",
        ],
        working_dir=folder,
        fail_fast=True,
    ).run()


# ## Count, without a shell
#
# A pattern or a file name that comes from outside does not belong in the text of a command. `run_args` hands arguments
# to the program as they are. Exit code 1 of `grep` means that nothing matches, which is no failure here.


@flow
def count_errors(folder: Path, names: list[str]) -> list[dict[str, str]]:
    counts = [
        run_args.submit(["grep", "--count", "-e", " error ", "--", name], cwd=folder, success_exit_codes=[0, 1])
        for name in names
    ]
    return [{"log": name, "errors": str(count.result())} for name, count in zip(names, counts, strict=True)]


# ## Several at once
#
# One block can start any number of processes. Leaving the `with` block ends all that still run, with everything that
# they started in turn.


@task
def compress(folder: Path, names: list[str]) -> str:
    with ShellOperation(commands=['gzip --keep "$NAME"'], working_dir=folder) as operation:
        processes = [operation.trigger(env={"NAME": name}) for name in names]
        for process in processes:
            process.wait_for_completion()
    return shell_run_command("du -ch *.gz | tail -1 | cut -f 1", cwd=folder)


# ## An end for what hangs
#
# When the time is up, the processes of the block are ended, children included, and the caller learns of it by an
# exception of its own. Here no answer is an answer.


@task
def probe() -> str:
    try:
        ShellOperation(commands=["echo is anybody there", "sleep 600"], timeout_seconds=0.5).run()
    except ShellTimeout:
        return "no answer"
    return "answered"


# ## The report
#
# The flow calls tasks and another flow like functions. What they find stays with the flow run, as a table in the UI.


@flow(log_prints=True)
def nightly_report() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        logs = write_logs(folder)
        table = count_errors(folder, logs)
        print(f"Errors: {table}")
        print(f"Compressed size: {compress(folder, logs)}")
        print(f"Probe: {probe()}")
        create_table_artifact(key="errors", table=table, description="Errors of each log")


# ## Run it
#
# The temporary server is one that Prefect has for tests. Without the `with`, the flow reports to the server that
# `PREFECT_API_URL` names.

if __name__ == "__main__":
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"  # the temporary server must not report its use either
    with prefect_test_harness(server_startup_timeout=180):
        nightly_report()
