"""Whatever fields are asked for, GitHub's schema knows what is sent."""

from __future__ import annotations

import pytest
from graphql import NoUnusedFragmentsRule, parse, specified_rules, validate

from prefect_github._selections import brief, full, selection
from prefect_github.schemas._facts import facts
from prefect_integration_tests.backends._github.schema import schema_of

RULES = [rule for rule in specified_rules if rule is not NoUnusedFragmentsRule]


@pytest.mark.parametrize(
    "of",
    [
        "CreateRepositoryPayload",
        "Gist",
        "IssueConnection",
        "IssueOrPullRequest",
        "Organization",
        "PinnableItem",
        "PullRequest",
        "Ref",
        "Release",
        "Repository",
        "RuleParameters",
        "UpdateRefsPayload",
        "User",
    ],
)
def test_every_field_can_be_asked_for_by_its_name(of: str) -> None:
    schema, known = schema_of("today"), facts(of)
    todays = getattr(schema.type_map[of], "fields", {})
    fields = [name for name, field in known.fields.items() if name in todays and not field.needs_arguments]
    for wanted in filter(None, (fields, brief(known), full(known))):
        document = parse(f"fragment Wanted on {of} {selection(of, wanted)}")
        assert not validate(schema, document, RULES)
