"""Kubeconfig files: found, merged and looked through as kubectl does it, and refused with the names that there are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes_asyncio.config.config_exception import ConfigException

from prefect_kubernetes import KubernetesClusterConfig
from prefect_kubernetes.errors import KubernetesConfigInvalid, KubernetesConfigMissing


def kubeconfig(
    *contexts: str, server: str = "https://cluster.example:6443", current: str | None = None
) -> dict[str, Any]:
    """A kubeconfig with these contexts, each with a cluster and a user of its own."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": contexts[0] if current is None and contexts else current,
        "clusters": [{"name": f"{name}-cluster", "cluster": {"server": server}} for name in contexts],
        "users": [{"name": f"{name}-user", "user": {"token": f"{name}-token"}} for name in contexts],
        "contexts": [
            {"name": name, "context": {"cluster": f"{name}-cluster", "user": f"{name}-user"}} for name in contexts
        ],
    }


def write(path: Path, config: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(config if isinstance(config, str) else yaml.safe_dump(config))
    return path


def test_the_current_context_is_taken(tmp_path: Path) -> None:
    path = write(tmp_path / "config", kubeconfig("staging", "prod", current="prod"))
    block = KubernetesClusterConfig.from_file(path)
    assert block.context_name == "prod"
    assert block.config == kubeconfig("staging", "prod", current="prod")


def test_another_context_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path / "config", kubeconfig("staging", "prod"))
    assert KubernetesClusterConfig.from_file(path, context_name="prod").context_name == "prod"


def test_a_path_may_be_text_and_begin_with_a_tilde(clean_surroundings: Path) -> None:
    write(clean_surroundings / ".kube" / "config", kubeconfig("home"))
    path: Any = "~/.kube/config"
    assert KubernetesClusterConfig.from_file(path).context_name == "home"


def test_without_a_path_the_default_file_is_read(clean_surroundings: Path) -> None:
    write(clean_surroundings / ".kube" / "config", kubeconfig("home"))
    assert KubernetesClusterConfig.from_file().context_name == "home"


def test_the_files_of_kubeconfig_are_merged_and_the_first_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = write(tmp_path / "a", kubeconfig("shared", "one", server="https://first:1"))
    second = write(tmp_path / "b", kubeconfig("two", "shared", server="https://second:1"))
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, (first, tmp_path / "missing", second))))
    block = KubernetesClusterConfig.from_file()
    assert block.context_name == "shared"
    assert [context["name"] for context in block.config["contexts"]] == ["shared", "one", "two"]
    servers = {cluster["name"]: cluster["cluster"]["server"] for cluster in block.config["clusters"]}
    assert servers["shared-cluster"] == "https://first:1"
    assert servers["two-cluster"] == "https://second:1"


def test_relative_paths_in_a_file_start_at_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = kubeconfig("x")
    config["clusters"][0]["cluster"]["certificate-authority"] = "pki/ca.crt"
    config["users"][0]["user"] = {"tokenFile": "/run/token"}
    path = write(tmp_path / "there" / "config", config)
    monkeypatch.chdir(tmp_path)
    block = KubernetesClusterConfig.from_file(Path("there/config"))
    assert block.config["clusters"][0]["cluster"]["certificate-authority"] == str(path.parent / "pki/ca.crt")
    assert block.config["users"][0]["user"]["tokenFile"] == "/run/token"


def test_a_wrong_context_is_refused_with_the_names_that_there_are(tmp_path: Path) -> None:
    path = write(tmp_path / "config", kubeconfig("staging", "prod"))
    with pytest.raises(KubernetesConfigInvalid, match=r"no context 'production'.*staging, prod") as caught:
        KubernetesClusterConfig.from_file(path, context_name="production")
    assert isinstance(caught.value, ValueError | ConfigException)
    assert "staging-token" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("clusters: [", "not YAML"),
        ("just text", "not a kubeconfig"),
        (kubeconfig(), "no current-context"),
        (kubeconfig("a", current="gone"), "'gone'"),
    ],
    ids=["broken", "text", "empty", "stale"],
)
def test_a_file_that_is_no_kubeconfig_is_refused(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(KubernetesConfigInvalid, match=said):
        KubernetesClusterConfig.from_file(write(tmp_path / "config", content))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(KubernetesConfigMissing, match="nowhere") as caught:
        KubernetesClusterConfig.from_file(tmp_path / "nowhere")
    assert isinstance(caught.value, FileNotFoundError)


def test_yaml_text_is_a_config() -> None:
    block = KubernetesClusterConfig(config=yaml.safe_dump(kubeconfig("x")), context_name="x")  # pyright: ignore[reportArgumentType]
    assert block.config == kubeconfig("x")


def test_text_that_is_no_yaml_is_refused_without_repeating_it() -> None:
    with pytest.raises(ValueError, match="not YAML") as caught:
        KubernetesClusterConfig(config="token: s3cr3t-value: [", context_name="x")  # pyright: ignore[reportArgumentType]
    assert "s3cr3t" not in str(caught.value)


def test_the_block_does_not_show_its_tokens() -> None:
    assert "x-token" not in repr(KubernetesClusterConfig(config=kubeconfig("x"), context_name="x"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda config: config["contexts"][0]["context"].update(cluster="other"), "cluster 'other'"),
        (lambda config: config["contexts"][0]["context"].update(user="other"), "user 'other'"),
        (lambda config: config["clusters"][0]["cluster"].update(server="cluster.example"), "must be a URL"),
        (lambda config: config["contexts"].clear(), "no contexts at all"),
    ],
    ids=["cluster", "user", "server", "contexts"],
)
async def test_a_config_that_does_not_hang_together_names_the_entry(change: Any, said: str) -> None:
    config = kubeconfig("x")
    change(config)
    with pytest.raises(KubernetesConfigInvalid, match=said):
        await KubernetesClusterConfig(config=config, context_name="x").get_api_client()


async def test_configure_client_makes_the_cluster_the_default() -> None:
    from kubernetes_asyncio.client import Configuration

    configuration: Any = Configuration
    before = configuration._default
    try:
        await KubernetesClusterConfig(config=kubeconfig("x"), context_name="x").configure_client()
        default: Any = configuration.get_default_copy()
        assert default.host == "https://cluster.example:6443"
        assert default.api_key == {"BearerToken": "Bearer x-token"}
    finally:
        configuration._default = before


async def test_a_certificate_that_was_copied_in_part_is_named_and_not_shown() -> None:
    config = kubeconfig("x")
    config["users"][0]["user"] = {"client-certificate-data": "hunter2hu"}
    with pytest.raises(KubernetesConfigInvalid, match="client-certificate-data is not base64") as caught:
        await KubernetesClusterConfig(config=config, context_name="x").get_api_client()
    assert "hunter2" not in str(caught.value)
