"""Fails when a tracked file names a package index or a folder of somebody's machine.

Usage: check_addresses.py CLONE. Lock files that name an index would tie every reader to it.
"""

import re
import subprocess
import sys
from pathlib import Path

# Written in parts, so that this file does not name what it looks for.
INDEXES = (r"pypi[.]org", r"python[h]osted[.]org", "--(?:extra-)?index-url", "--find[-]links")
FOLDERS = "(?:home|root|work|Users)"
PATTERN = re.compile(rf"{'|'.join(INDEXES)}|(?<![\w./}}-])/{FOLDERS}/[\w.]")


def main(clone: Path) -> int:
    """Print each line found and return 1 if there is any."""
    found = [line for path in tracked(clone) for line in breaches(clone, path)]
    print("\n".join(found) or "no package index, no folder of a machine")
    return 1 if found else 0


def tracked(clone: Path) -> list[Path]:
    """Return the tracked files that exist, or all files where git or its folder is absent."""
    try:
        listed = subprocess.run(
            ["git", "-C", str(clone), "ls-files", "-z"], capture_output=True, text=True, check=True
        ).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        listed = [str(path.relative_to(clone)) for path in visible(clone)]
    return [clone / name for name in listed if name and (clone / name).is_file()]


def visible(clone: Path) -> list[Path]:
    """Return the files outside of hidden folders, where caches and environments live."""
    return [
        path
        for path in clone.rglob("*")
        if not any(part.startswith(".") for part in path.relative_to(clone).parts)
    ]


def breaches(clone: Path, path: Path) -> list[str]:
    """Return the lines of one file that name what they should not; binary files are passed over."""
    try:
        lines = path.read_text().splitlines()
    except UnicodeDecodeError:
        return []
    return [
        f"{path.relative_to(clone)}:{number}: {match.group()}"
        for number, line in enumerate(lines, 1)
        if (match := PATTERN.search(line))
    ]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
