"""The examples of the README run as they stand, and each module has one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", README, flags=re.MULTILINE | re.DOTALL))
MODULES = sorted(path.stem for path in (ROOT / "prefect_integration_kit").glob("[a-z]*.py"))


def test_each_module_that_others_use_has_a_section():
    not_public = {"brakes"}  # a part of `transfer`
    assert sorted(SECTIONS) == sorted(set(MODULES) - not_public)
    for module in SECTIONS:
        assert f"[`{module}`](#{module})" in README
        assert f"prefect_integration_kit.{module} import" in SECTIONS[module]


def test_the_examples_run(tmp_path: Path):
    """All of them in one process, since each one pays for importing Prefect otherwise."""
    examples = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len(examples) >= len(SECTIONS)
    script = tmp_path / "examples.py"
    script.write_text("".join(f"exec({code!r}, {{'__name__': 'example'}})\n" for code in examples), encoding="utf-8")
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", MODULES)
def test_each_module_says_what_it_is_for(module: str):
    text = (ROOT / "prefect_integration_kit" / f"{module}.py").read_text(encoding="utf-8")
    assert text.startswith('"""')
