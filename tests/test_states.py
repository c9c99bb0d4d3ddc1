"""docs/states.md draws what the code does."""

import re
from pathlib import Path

from sqlalchemy import Engine, text

from delivery.states import (
    COARSE_STATUS,
    MESSAGE_MOVES,
    MessageState,
    RecipientState,
    SuppressedReason,
)

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "states.md").read_text()


def section(title: str) -> str:
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def first_column(text_of: str) -> set[str]:
    return set(re.findall(r"^\| `(\w+)` \|", text_of, re.MULTILINE))


def test_the_drawing_shows_exactly_the_allowed_moves() -> None:
    drawn = set(re.findall(r"^    (\w+) --> (\w+)", section("A message"), re.MULTILINE))

    assert drawn == {
        (source.value, target.value)
        for source, targets in MESSAGE_MOVES.items()
        for target in targets
    }


def test_every_message_state_has_its_line_and_status() -> None:
    table = section("A message")

    assert first_column(table) == {state.value for state in MessageState}
    for state, status in COARSE_STATUS.items():
        line = re.search(rf"^\| `{state.value}` .*", table, re.MULTILINE)
        assert line is not None
        assert f"`{status}`" in line.group()


def test_every_recipient_state_and_reason_has_its_line() -> None:
    names = {one.value for one in (*RecipientState, *SuppressedReason)}

    assert first_column(section("A recipient")) == names


def test_the_database_allows_exactly_the_states(engine: Engine) -> None:
    sql = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name"
    expected = {
        "message_state_check": {state.value for state in MessageState},
        "ledger_state_check": {state.value for state in RecipientState},
        "credential_state_check": first_column(section("A credential")),
        "target_state_check": first_column(section("A target (a token of a device)")),
    }
    with engine.connect() as connection:
        found = {name: connection.scalar(text(sql), {"name": name}) for name in expected}

    for name, states in expected.items():
        assert set(re.findall(r"'(\w+)'", found[name] or "")) == states
