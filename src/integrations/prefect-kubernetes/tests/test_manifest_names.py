"""Names, labels and identifiers are legal whatever comes in, and what is legal comes back as it went in."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_kubernetes._worker import names
from prefect_kubernetes.worker import JobIdentifier, parse_identifier

LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
JOB_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")

legal_values = st.from_regex(r"\A[A-Za-z0-9]([-A-Za-z0-9_.]{0,60}[A-Za-z0-9])?\Z")
prefixes = st.from_regex(r"\A[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?(\.[a-z0-9]{1,20}){0,3}\Z")


@given(st.text())
def test_the_value_of_a_label_is_always_legal(text: str) -> None:
    value = names.label_value(text)
    assert len(value) <= 63
    assert LABEL_VALUE.fullmatch(value)


@given(legal_values)
def test_a_legal_value_keeps_its_case_and_every_character(value: str) -> None:
    assert names.label_value(value) == value


@given(prefixes, legal_values)
def test_a_legal_key_stays_as_it_is(prefix: str, name: str) -> None:
    assert names.label_key(name) == name
    assert names.label_key(f"{prefix}/{name}") == f"{prefix}/{name}"


@given(st.text(), legal_values)
def test_a_key_becomes_legal(text: str, end: str) -> None:
    prefix, separator, name = names.label_key(text + end).rpartition("/")
    assert 0 < len(name) <= 63
    assert LABEL_VALUE.fullmatch(name)
    assert not separator or (len(prefix) <= 253 and SUBDOMAIN.fullmatch(prefix))


def test_a_key_without_a_legal_character_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"'example\.com/日本' cannot be the key of a label"):
        names.label_key("example.com/日本")


@given(st.text(), st.text())
def test_the_name_of_a_job_is_legal_and_the_same_for_the_same_submission(prefix: str, token: str) -> None:
    name = names.job_name(prefix, token)
    assert len(name) <= 63
    assert JOB_NAME.fullmatch(name)
    assert names.job_name(prefix, token) == name
    assert names.job_name(prefix, f"{token}+") != name


@given(st.text(alphabet=string.ascii_lowercase, min_size=1, max_size=52))
def test_the_name_of_a_job_begins_with_what_was_given(prefix: str) -> None:
    assert names.job_name(f"{prefix}-", "token").startswith(f"{prefix}-")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Team-A", "Team-A"),
        ("2026-05-04T10:00:00.5+00:00", "2026-05-04T10-00-00.5-00-00"),
        ("Zürich öffnet", "Zurich-offnet"),
        ("-x-", "x"),
        ("a" * 62 + "..b", "a" * 62),
        ("", ""),
        ("日本", ""),
    ],
)
def test_an_illegal_value_is_changed_as_little_as_can_be(text: str, value: str) -> None:
    assert names.label_value(text) == value


def test_what_had_to_be_changed_in_a_label_is_kept_in_an_annotation() -> None:
    labels, originals = names.legal_labels({"prefect.io/flow-name": "my flow", "Team": "A_b", "num": 7})
    assert labels == {"prefect.io/flow-name": "my-flow", "Team": "A_b", "num": "7"}
    assert originals == {"prefect.io/flow-name": "my flow"}


@pytest.mark.parametrize(
    ("text", "identifier"),
    [
        ("shop:job-1", JobIdentifier("shop", "job-1")),
        ("6f1e-uid:shop:job-1", JobIdentifier("shop", "job-1", "6f1e-uid")),
    ],
)
def test_identifiers_of_all_versions_are_read(text: str, identifier: JobIdentifier) -> None:
    assert parse_identifier(text) == identifier
    assert str(identifier) == "shop:job-1"


@pytest.mark.parametrize("text", ["", "job-1", ":job-1", "shop:", ":shop:job", "cluster::arn:aws:ecs/x", "host:1/2"])
def test_what_names_no_job_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="does not name a Kubernetes job"):
        parse_identifier(text)


def test_an_identifier_knows_its_own_in_every_form() -> None:
    job = JobIdentifier("shop", "a", "uid-1")
    assert job.is_named_by("shop:a")
    assert job.is_named_by("uid-1:shop:a")
    assert not job.is_named_by("uid-2:shop:a")
    assert not job.is_named_by("shop:b")
    assert not job.is_named_by("1234")
