"""The maker of `.venv` touches nobody else's environment."""

import subprocess
import sys
from pathlib import Path

from tests.repository_files import ROOT

_MAKER = ROOT / "tools" / "make_environment.py"


def test_an_environment_that_is_only_linked_is_left_alone(tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.mkdir()
    ours.mkdir()
    (theirs / "carillon-stamp").write_text("dev 3.11 1 /theirs\n")
    (ours / "requirements-dev.txt").write_text("")
    (ours / ".venv").symlink_to(theirs)

    done = subprocess.run(
        [sys.executable, "-I", str(_MAKER), str(ours), "dev"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert "is a link" in done.stderr
    assert (theirs / "carillon-stamp").exists()
