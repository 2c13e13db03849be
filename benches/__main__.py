"""Run benches: `python -m benches [NAME …] [--rounds N]`; without a name, all of them."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from benches.harness import BenchError

NAMES = (
    "cold_start",
    "import_cost",
    "block_register",
    "worker_start",
    "shell_output",
    "redis_messages",
    "s3_folder",
    "gcs_folder",
    "azure_folder",
    "bigquery_fetch",
    "sql_fetch",
    "docs_reference",
    "worker_runs",
    "soak",
    "ecs_submissions",
    "docker_runs",
    "kube_observer",
    "cloud_run_calls",
    "aci_calls",
    "dbt_build",
    "git_clone",
    "dask_map",
    "ray_map",
    "task_engines",
)


def main() -> int:
    """Run what the command line asks for and print the tables."""
    parser = argparse.ArgumentParser(prog="just bench", description="Compare with the published packages.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(NAMES)}; all by default")
    parser.add_argument("--rounds", type=int, help="how often to measure each case; each bench has its own default")
    parser.add_argument("--only", metavar="TEXT", help="only the cases whose description holds this text")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in NAMES]:
        parser.error(f"no bench is named {unknown[0]!r}; there are: {', '.join(NAMES)}")
    try:
        for name in options.names or NAMES:
            print(f"{name}:", file=sys.stderr, flush=True)
            print(import_module(f"benches.{name}").run(options.rounds, options.only))
    except BenchError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
