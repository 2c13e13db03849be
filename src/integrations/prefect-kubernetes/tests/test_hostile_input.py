"""Names, labels and kubeconfigs from outside: legal, or refused, and nothing of a kubeconfig is said."""

from __future__ import annotations

import pytest

from prefect_integration_tests import hostile
from prefect_kubernetes._kubeconfig import parse
from prefect_kubernetes._worker import names
from prefect_kubernetes.errors import KubernetesConfigInvalid


@pytest.mark.parametrize(
    "text", ["a: 2001-99-99", "[" * 5000, "a: {", "- [", "a: !!python/object:os.system x"], ids=ascii
)
def test_a_text_that_is_no_kubeconfig_is_refused_as_one(text: str) -> None:
    with pytest.raises(KubernetesConfigInvalid) as caught:
        parse(f"token: q7ZxSecret\n{text}", "The file")
    assert "q7ZxSecret" not in f"{caught.value} {caught.value.__cause__}"


@pytest.mark.parametrize("text", hostile.ALL, ids=ascii)
def test_names_and_labels_are_legal_whatever_they_are_made_of(text: str) -> None:
    assert names.is_dns_label(names.job_name(text, "token"))
    assert names.is_label_value(names.label_value(text))
    try:
        assert names.is_label_key(names.label_key(text))
    except ValueError as exc:
        assert "no letter or digit" in str(exc)  # noqa: PT017 - not all of them are refused
