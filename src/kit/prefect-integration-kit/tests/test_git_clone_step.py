"""Prefect's own step puts a block together whose token has to be asked for, whichever was loaded first."""

from __future__ import annotations

import subprocess
import sys

import pytest

TEACH = """
from prefect.blocks.abstract import CredentialsBlock
from prefect_integration_kit.git_clone_step import teach_git_clone

class Minting(CredentialsBlock):
    seed: str
    number: int

    def get_client(self):
        return None

    def format_git_credentials(self, url):
        return url.replace("://", f"://{self.seed}-{self.number}@")

teach_git_clone(("seed", "number"), Minting)
"""

USE = """
from prefect.runner.storage import GitRepository

def address(credentials):
    return GitRepository("https://h/r.git", credentials)._repository_url_with_credentials

assert address({"seed": "s", "number": 7}) == "https://s-7@h/r.git"
assert address(credentials={"seed": "s", "number": 8}) == "https://s-8@h/r.git"
assert address(Minting(seed="s", number=9)) == "https://s-9@h/r.git"
assert address({"username": "ada", "access_token": "t"}) == "https://ada:t@h/r.git"
assert address(None) == "https://h/r.git"
"""

ORDERS = {
    "taught-first": f"import sys\n{TEACH}\nassert 'prefect.runner.storage' not in sys.modules\n{USE}",
    "loaded-first": f"import prefect.runner.storage\n{TEACH}\n{USE}",
    "looked-for-before": f"import importlib.util\n{TEACH}\nimportlib.util.find_spec('prefect.runner.storage')\n{USE}",
    "taught-twice": f"{TEACH}\nteach_git_clone(('seed', 'other'), Minting)\n{USE}",
}


@pytest.mark.parametrize("order", ORDERS)
def test_a_dictionary_of_a_blocks_fields_becomes_the_block(order: str) -> None:
    code = ORDERS[order].replace("address(credentials=", "address(")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
