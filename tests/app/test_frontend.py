"""The app's JavaScript: its types, its lint and its unit tests, run by the tools in `frontend`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FRONTEND = Path(__file__).parent / "frontend"
TOOLS = FRONTEND / "node_modules" / ".bin"
NODE = shutil.which("node", path=str(Path(sys.executable).parent)) or shutil.which("node")

CHECKS = {
    "types": [str(TOOLS / "tsc"), "--project", "tsconfig.json"],
    "lint": [str(TOOLS / "biome"), "lint", "--error-on-warnings", "--config-path=.", "../../../app", "."],
    "tests": [NODE or "node", "--test"],
}


@pytest.mark.parametrize("check", CHECKS)
def test_the_front_end(check: str) -> None:
    if NODE is None:
        pytest.fail("these checks need node: run `make install-dev`")
    if check != "tests" and not TOOLS.is_dir():
        pytest.skip("the packages of tests/app/frontend are not installed: run `make frontend`")
    environment = {**os.environ, "PATH": f"{Path(NODE).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(CHECKS[check], cwd=FRONTEND, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_script_that_labels_has_its_types_checked() -> None:
    import bulk
    import labeller

    listed = (FRONTEND / "tsconfig.json").read_text(encoding="utf-8")
    assert [name for name in (*labeller.SCRIPTS, *bulk.SCRIPTS) if f'"../../../app/{name}"' not in listed] == []
