"""The CloudFormation templates that the package brings."""

from __future__ import annotations

import json
from enum import Enum
from importlib.resources import files
from typing import Any

MAX_BODY_BYTES = 51_200
"""Largest template that a request may carry:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html"""


class TemplateType(str, Enum):
    """Which template."""

    service = "service"
    events_only = "events-only"


class TemplateFormat(str, Enum):
    """How a template is written."""

    json = "json"
    yaml = "yaml"


def load_template(kind: TemplateType) -> dict[str, Any]:
    """Read a template."""
    text = files("prefect_aws.templates.ecs").joinpath(f"{kind.value}.json").read_text("utf-8")
    return json.loads(text)


def as_body(template: dict[str, Any]) -> str:
    """Write a template for a request, as short as it goes."""
    return json.dumps(template, separators=(",", ":"))


def as_text(template: dict[str, Any], form: TemplateFormat) -> str:
    """Write a template for a reader."""
    if form is TemplateFormat.json:
        return json.dumps(template, indent=2) + "\n"
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes no anchors: CloudFormation's own reader has its trouble with them."""

        def ignore_aliases(self, data: Any) -> bool:
            """Write what occurs twice twice."""
            return True

    return yaml.dump(template, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)
