"""The `prefect-aws` command."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path


def test_the_installed_command_prints_the_version():
    command = Path(sys.executable).with_name("prefect-aws")
    answer = subprocess.run([command, "version"], capture_output=True, text=True, timeout=60)
    assert (answer.returncode, answer.stdout.strip()) == (0, version("prefect-aws")), answer.stderr
