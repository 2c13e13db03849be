# ---
# title: A judge for programming contests
# description: Run programs of strangers in containers without network, with limits of memory, processes and time.
# icon: gavel
# keywords: ["docker", "containers", "sandbox", "limits"]
# dependencies: ["prefect-docker", "prefect-integration-tests[docker]"]
# cmd: ["python", "examples/docker_judge.py"]
# order: 5
# ---
#
# A contest asks for a program that prints the sum of three numbers. What people hand in is run, and nobody knows what
# it does: it may never end, eat all memory, or look around on the machine. So each program runs in a container of its
# own, which has no network, cannot write, and is removed afterwards, whatever happens.
#
# It needs a Docker engine and no registry: the image is made here. Without an engine the program says so and ends.

import os

from prefect import flow, task, unmapped
from prefect.artifacts import create_table_artifact
from prefect.testing.utilities import prefect_test_harness

from prefect_docker import DockerHost
from prefect_docker.containers import (
    create_docker_container,
    get_docker_container_logs,
    remove_docker_container,
    start_docker_container,
)
from prefect_integration_tests.backends.docker import BUSYBOX, DockerEngine
from prefect_integration_tests.backends.processes import ServerError

# ## What is handed in
#
# The programs are shell scripts here, since an image with a shell is small. The numbers come as arguments.

PROGRAMS = {
    "ada": "echo $(($1 + $2 + $3))",
    "bob": "echo $(($1 + $2))",
    "cid": "while true; do :; done",
    "dee": 'x=1234567890; while true; do x="$x$x"; done',
    "eve": "echo 42 > /answer; cat /answer",
    "fay": "nc -w 2 192.0.2.1 80",
}

# ## The sandbox
#
# `create_docker_container` takes every argument of the Docker SDK, so the limits stand where the container is made.
# The time is limited within: `timeout` kills a program, under a shell that stays to tell its exit code.
#
# Whoever may start containers on an engine has the rights of root on its machine; who only hands in a program has none
# of them.

RUN = 'timeout -s KILL 2 sh -c "$@"; exit $?'

LIMITS = {
    "network_mode": "none",
    "mem_limit": "32m",
    "memswap_limit": "32m",
    "pids_limit": 16,
    "read_only": True,
    "cap_drop": ["ALL"],
    "user": "65534:65534",
}


# ## The verdict
#
# The task that follows the logs waits until the container ends. One that ran out of memory says so in its state, and
# the exit code 137 is that of a program that was killed.


@task
def judge(name: str, program: str, numbers: list[int], engine: DockerHost) -> str:
    """Run a program in a container, and say what became of it."""
    command = ["sh", "-c", RUN, "sh", program, "sh", *map(str, numbers)]
    container = create_docker_container(BUSYBOX, command, docker_host=engine, labels={"contest": name}, **LIMITS)
    try:
        start_docker_container(container.id, engine)
        said = get_docker_container_logs(container.id, engine, follow=True).strip()
        exit_code = container.wait()["StatusCode"]
        container.reload()
    finally:
        remove_docker_container(container.id, engine, force=True)
    if container.attrs["State"]["OOMKilled"]:
        return "too much memory"
    if exit_code == 137:
        return "too slow"
    if exit_code != 0:
        return f"failed: {said}"
    return "right" if said == str(sum(numbers)) else f"wrong: {said}"


# ## The contest
#
# The engine is given by a block, as one would be that is kept for contests. The programs run side by side.


@flow(log_prints=True)
def judge_all(engine: DockerHost) -> dict[str, str]:
    verdicts = judge.map(list(PROGRAMS), list(PROGRAMS.values()), numbers=unmapped([3, 4, 5]), engine=unmapped(engine))
    table = dict(zip(PROGRAMS, verdicts.result(), strict=True))
    for name, verdict in table.items():
        print(f"{name}: {verdict}")
    create_table_artifact([{"name": n, "verdict": v} for n, v in table.items()], key="contest")
    return table


# ## Run it
#
# The engine is the one of this machine, or one that is started for the program, which only root may do.

if __name__ == "__main__":
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"  # the temporary server must not report its use either
    try:
        engine = DockerEngine.start()
    except ServerError as exc:
        print(f"Nothing was judged. {exc}")
    else:
        with engine, prefect_test_harness(server_startup_timeout=120):
            engine.import_busybox()
            verdicts = judge_all(DockerHost(base_url=engine.socket_url))
        assert verdicts["ada"] == "right"
        assert verdicts["bob"] == "wrong: 7"
        assert verdicts["cid"] == "too slow"
