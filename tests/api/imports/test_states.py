"""docs/states.md draws what imports do."""

import re

from sqlalchemy import Engine, text

from api.imports.states import IMPORT_MOVES, ImportState
from tests.repository_files import ROOT

_PAGE = (ROOT / "docs" / "states.md").read_text().partition("## An import\n")[2]


def test_the_drawing_shows_exactly_the_allowed_moves() -> None:
    drawn = set(re.findall(r"^    (\w+) --> (\w+)", _PAGE, re.MULTILINE))

    assert drawn == {
        (source.value, target.value)
        for source, targets in IMPORT_MOVES.items()
        for target in targets
    }


def test_every_state_has_its_line() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", _PAGE, re.MULTILINE)) == {
        state.value for state in ImportState
    }


def test_the_database_allows_exactly_the_states(engine: Engine) -> None:
    sql = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name"
    with engine.connect() as connection:
        rule = connection.scalar(text(sql), {"name": "import_job_state_check"})

    assert set(re.findall(r"'(\w+)'", str(rule))) == {state.value for state in ImportState}
