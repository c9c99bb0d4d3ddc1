"""The files of the repository as a clone has them, for tests that read the repository itself."""

import os
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_IGNORED = (".git", *(ROOT / ".gitignore").read_text().replace("/\n", "\n").split())


def repository_files(pattern: str = "*") -> Iterator[Path]:
    """Yield the files whose name fits `pattern`, without what .gitignore names."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if not _is_ignored(name)]
        yield from (
            Path(folder, name) for name in names if fnmatch(name, pattern) and not _is_ignored(name)
        )


def _is_ignored(name: str) -> bool:
    return any(fnmatch(name, ignored) for ignored in _IGNORED)
