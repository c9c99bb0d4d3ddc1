"""docs/reference/sandbox.md names every outcome, profile field and control path."""

import re
from dataclasses import fields
from pathlib import Path

from delivery.sandbox.outcomes import OUTCOMES
from delivery.sandbox.profile import Profile
from delivery.sandbox.reasons import REASONS, outcome_name

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "sandbox.md").read_text()


def test_every_outcome_stands_in_the_page_with_its_code() -> None:
    tables = PAGE.partition("## Control")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| ([0-9a-f]{2}) \|", tables, re.MULTILINE))
    reasons = {outcome_name(reason) for reason in REASONS}

    assert rows == {
        name: f"{one.code:02x}" for name, one in OUTCOMES.items() if name not in reasons
    }
    assert all(f"`{name}`" in PAGE for name in reasons)


def test_every_profile_field_stands_in_the_page() -> None:
    missing = [one.name for one in fields(Profile) if f"`{one.name}`" not in PAGE]

    assert missing == []
