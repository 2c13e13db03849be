# ---
# title: A sky survey on Kubernetes
# description: Split a sky survey into Kubernetes jobs that run at the same time, and read what their pods found.
# icon: dharmachakra
# keywords: ["kubernetes", "jobs", "pods", "retries", "fan-out"]
# dependencies: ["prefect-kubernetes", "prefect-integration-tests[kubernetes]"]
# cmd: ["python", "examples/kubernetes_job.py"]
# order: 6
# ---
#
# A telescope has taken pictures of the sky, strip by strip, and a program counts the stars of a strip. It is a program
# of its own, in an image of its own, so Kubernetes runs it: one job for each strip, all at the same time. The flow
# starts the jobs, reads what their pods wrote, and adds it up.
#
# - Each strip is a task: it is retried, and seen, by itself.
# - A strip is lost to clouds. Its job fails, and the error says with which exit code and what the program said.
#
# It needs no account and no network. A cluster of one node starts with the program where its programs are: Kubernetes'
# own, in a folder that `KUBERNETES_BIN` names, and a Docker engine. With `KUBERNETES_TEST_KUBECONFIG` it runs on a
# cluster that you have, such as one of `kind`. Where there is neither, it says what is missing and ends.

import os

from prefect import flow, task
from prefect.testing.utilities import prefect_test_harness

from prefect_integration_tests.backends.docker import DockerEngine
from prefect_integration_tests.backends.kubernetes import KubernetesCluster
from prefect_integration_tests.backends.processes import ServerError
from prefect_kubernetes import KubernetesClusterConfig, KubernetesCredentials, KubernetesJob
from prefect_kubernetes.exceptions import KubernetesJobFailedError

# ## What runs in a pod
#
# It stands for a real program: it finds its strip in the environment, prints what it counted, and fails when it saw
# nothing.

COUNT = """
echo "strip $STRIP: exposed"
if [ "$STRIP" = 3 ]; then echo "strip $STRIP: clouds" >&2; exit 4; fi
echo "stars: $((STRIP * 120 + 7))"
"""

# ## A job for a strip
#
# `generateName` lets Kubernetes find a name, so that a task that runs again makes a new job. With `backoffLimit` 0 a
# pod that fails is not replaced: whether to try again is said in the flow.


def job_for(strip: int, image: str) -> dict:
    container = {
        "name": "count",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", COUNT],
        "env": [{"name": "STRIP", "value": str(strip)}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"generateName": f"strip-{strip}-"},
        "spec": {"backoffLimit": 0, "template": {"spec": {"restartPolicy": "Never", "containers": [container]}}},
    }


# ## Count one strip
#
# `trigger` creates the job, `wait_for_completion` waits for its end as the job itself says it, and then the job and its
# pods are deleted. `fetch_result` gives the output of each pod.


@task
def count_stars(strip: int, namespace: str, image: str) -> int:
    job = KubernetesJob(
        v1_job=job_for(strip, image),
        credentials=KubernetesCredentials.load("observatory"),
        namespace=namespace,
        timeout_seconds=120,
        interval_seconds=1,
    )
    run = job.trigger()
    run.wait_for_completion(print_func=print)
    (output,) = run.fetch_result().values()
    return int(output.rpartition("stars:")[2])


# ## The survey
#
# All strips are submitted before the first result is asked for. A strip that failed is told of, and the others count.


@flow
def survey(namespace: str, image: str, strips: int = 4) -> dict[int, int]:
    futures = {strip: count_stars.submit(strip, namespace, image) for strip in range(1, strips + 1)}
    counted: dict[int, int] = {}
    for strip, future in futures.items():
        found = future.result(raise_on_failure=False)
        if isinstance(found, KubernetesJobFailedError):
            print(f"Strip {strip} is to be taken again. {found}")
        elif isinstance(found, Exception):
            raise found
        else:
            counted[strip] = found
    print(f"{sum(counted.values())} stars in strips {sorted(counted)}")
    return counted


if __name__ == "__main__":
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"  # the temporary server must not report its use either
    try:
        engine = DockerEngine.start()
        cluster = KubernetesCluster.start(engine)
    except ServerError as exc:
        print(f"No survey was made. {exc}")
    else:
        with engine, cluster, prefect_test_harness(server_startup_timeout=120):
            config = KubernetesClusterConfig(config=cluster.config, context_name=cluster.config["current-context"])
            KubernetesCredentials(cluster_config=config).save("observatory")
            counted = survey(cluster.new_namespace("survey"), cluster.load_image(engine.import_busybox()))
        assert counted == {1: 127, 2: 247, 4: 487}, counted
