"""Parsers of prefect-kubernetes."""

from __future__ import annotations

import json

from prefect_kubernetes._kubeconfig import context_names, merge, parse
from prefect_kubernetes._worker import names
from prefect_kubernetes._worker.identifiers import parse_identifier
from prefect_kubernetes._worker.output import _split
from prefect_kubernetes.errors import KubernetesConfigInvalid

from ..registry import refusal, refusing, target


@target("app", "prefect.io/flow-run-id", "A B/c", "é/é", "-", "a/b/c", "x" * 300)
def labels(text: str) -> None:
    """Labels, names and prefixes are legal whatever they are made of; legal ones stay."""
    value = names.label_value(text)
    assert names.is_label_value(value)
    assert names.label_value(value) == value
    with refusing(ValueError):
        key = names.label_key(text)
        assert names.is_label_key(key)
        assert names.label_key(key) == key
    assert names.is_dns_label(names.job_name(text, text.encode("utf-8", "replace").decode()))


@target("ns:job", "uid:ns:job", "a/b:c", "::", ":a")
def identifiers(text: str) -> None:
    """What is read of an identifier names the same job when it is written again."""
    with refusing(ValueError):
        found = parse_identifier(text)
        assert parse_identifier(str(found))[:2] == found[:2]
        assert "/" not in str(found)


@target(
    "clusters:\n- name: a\n  cluster: {server: https://h}\ncontexts: []\nusers: []\n",
    "a: 2001-99-99",
    "a: !!python/object x",
    "[1, 2]",
    "&a [*a]",
    "a: 0o9",
    "contexts: {a: b}",
    "users: [1]",
)
def kubeconfigs(text: str) -> None:
    """Any text is a kubeconfig, or refused without what stands in it."""
    with refusing(KubernetesConfigInvalid):
        config = parse(text, "The file")
        merged = merge([config])
        context_names(merged)
        merge([merged, config])
    error = refusal(lambda: parse(f"token: q7ZxSecret\n{text}", "The file"), KubernetesConfigInvalid)
    assert error is None or "q7ZxSecret" not in str(error) + repr(error.__cause__)


@target("2026-01-01T00:00:00.123456789Z hello", "2026-01-01T00:00:00Z", "x y", "")
def log_lines(text: str) -> None:
    """Nothing of a line is lost, whether it has a time or not."""
    moment, line = _split(text.encode("utf-8", "surrogatepass"))
    assert line.replace("\r", "") in text.replace("\r", "") or "\ufffd" in line
    assert moment or line == text.rstrip("\r") or "\ufffd" in line


@target('{"a": {"b": "c"}}', "{}")
def annotations(text: str) -> None:
    """Labels of any kind become legal ones, and what is changed is kept as an annotation."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        return
    if isinstance(given, dict):
        with refusing(ValueError):
            legal, changed = names.legal_labels(given)
            assert all(names.is_label_key(key) and names.is_label_value(value) for key, value in legal.items())
            assert changed.keys() <= legal.keys()
