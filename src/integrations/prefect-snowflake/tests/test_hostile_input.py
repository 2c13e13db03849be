"""Names and comments from outside: one name in a statement, or refused."""

from __future__ import annotations

import pytest

from prefect_integration_tests import hostile
from prefect_snowflake.experimental.workers._spcs import names


# A text in quotation marks is a name that may hold anything.
@pytest.mark.parametrize("text", [text for text in hostile.ALL if not text.startswith('"')], ids=ascii)
def test_nothing_hostile_is_a_name_in_a_statement(text: str) -> None:
    for read in (names.plain_name, names.quoted_name, names.secret_name):
        with pytest.raises(ValueError, match="`field` is"):
            read(text, "field")
    with pytest.raises(ValueError, match="does not name a service"):
        names.read_identifier(text)


@pytest.mark.parametrize(
    "comment", ['{"a": ' * 100_000, "{", '{"a": ' + "1" * 5000 + "}"], ids=["deep", "cut", "digits"]
)
def test_a_comment_that_others_wrote_has_no_labels(comment: str) -> None:
    assert names.labels_in(comment) == {}
