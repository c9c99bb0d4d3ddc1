"""What is made in a clone stays out of it."""

import shutil
import subprocess
from pathlib import Path

from tests.repository_files import ROOT


def test_an_environment_that_is_only_linked_is_not_added(tmp_path: Path) -> None:
    shutil.copy(ROOT / ".gitignore", tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".venv").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "ours.py").touch()
    for command in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)

    added = subprocess.run(
        ["git", "-C", str(tmp_path), "ls-files"], check=True, capture_output=True, text=True
    )

    assert added.stdout.split() == [".gitignore", "ours.py"]
