"""What docs/reference/benchmarks.md says of each benchmark."""

import re
from collections.abc import Mapping
from typing import Any

from tests.repository_files import ROOT

_PAGE = (ROOT / "docs" / "reference" / "benchmarks.md").read_text()
SECTIONS: Mapping[str, str] = dict(
    re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", _PAGE, re.MULTILINE | re.DOTALL)
)


def undocumented_keys(name: str, found: Mapping[str, Any]) -> list[str]:
    """Return the keys of a benchmark's result that its section does not name."""
    inner = [key for one in ("conditions", "faults") for key in found.get(one, ())]
    options = set(re.findall(r"`--([a-z-]+)`", SECTIONS[name]))
    return [
        key
        for key in (*found, *inner)
        if f"`{key}`" not in SECTIONS[name] and key.replace("_", "-") not in options
    ]
