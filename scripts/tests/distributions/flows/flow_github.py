"""Pull the code at the address that the argument tells."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from prefect import flow

from prefect_github import GitHubRepository


@flow
def pull(url: str) -> list[str]:
    """Pull a tag, and name the files."""
    GitHubRepository(repository_url=url, reference="v1.2.0").get_directory(local_path="code")
    return sorted(path.name for path in Path("code").iterdir() if path.name != ".git")


print(pull(json.loads(sys.argv[1])["url"]))
