"""A small repository to check, which a test then spoils in one way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

PAGE = """\
---
title: Acme
description: Talk to Acme.
---

## Install

Read [the overview](/integrations/overview#first-step), or the
[reference](/integrations/prefect-acme/api-ref/prefect_acme-jobs).

<Note>
  A note with `{code}` and `a < b`.
</Note>

```python
from prefect_acme import Job

await Job().run()
```

```yaml
bucket: "{{ step.bucket }}"
other: {{ step.bucket }}
```
"""

OVERVIEW = """\
---
title: Overview
description: All of them.
---

## First step

See [Acme](/integrations/prefect-acme).
"""


class Repository:
    """A folder that looks like this repository, as far as the checks look."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.page = "docs/integrations/prefect-acme/index.mdx"
        self.overview = "docs/integrations/overview.mdx"
        self.write(self.page, PAGE)
        self.write(self.overview, OVERVIEW)
        self.write("README.md", "# Acme\n\nSee [the source](src/integrations/prefect-acme).\n")
        self.write("src/integrations/prefect-acme/pyproject.toml", "[project]\nname = 'prefect-acme'\n")
        self.write("src/integrations/prefect-acme/prefect_acme/jobs.py", "")
        self.write("examples/first_job.py", "")
        self.navigate(["integrations/overview", "integrations/prefect-acme/index"])

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def append(self, name: str, text: str) -> int:
        """Append a paragraph and return the number of its first line."""
        path = self.root / name
        before = path.read_text(encoding="utf-8")
        path.write_text(f"{before}\n{text}\n", encoding="utf-8")
        return before.count("\n") + 2

    def navigate(self, pages: list[Any], **more: Any) -> None:
        groups = [{"group": "Integrations", "pages": pages}]
        tabs = [{"tab": "Integrations", "groups": groups}]
        self.write("docs/docs.json", json.dumps({"navigation": {"tabs": tabs}, **more}))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)
