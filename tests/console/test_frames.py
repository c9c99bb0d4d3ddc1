"""The console's tables."""

import pandas as pd

from console.client import Message
from console.frames import STATES, count_table, message_table, open_recipients


def _message(targeted: int | None, **counts: int) -> Message:
    return Message(
        "msg_one", "running", "pending", "campaign", "2026-01-02T03:04:05Z", targeted, counts
    )


def test_open_recipients_are_those_without_an_end() -> None:
    assert open_recipients(_message(10, accepted=6, gone=1)) == 3


def test_open_recipients_are_unknown_before_the_audience_is_cut() -> None:
    assert open_recipients(_message(None)) is None


def test_a_row_holds_every_end_and_adds_up() -> None:
    table = message_table([_message(10, accepted=6, suppressed=1)])

    row = table.iloc[0]
    assert row["Open"] + sum(row[state.capitalize()] for state in STATES) == row["Targeted"] == 10
    assert row["Created"] == pd.Timestamp("2026-01-02T03:04:05", tz="UTC")


def test_unknown_numbers_stay_empty_and_do_not_turn_the_others_into_fractions() -> None:
    table = message_table([_message(None), _message(3, accepted=3)])

    assert table["Targeted"].isna().tolist() == [True, False]
    assert str(table["Targeted"].iloc[1]) == "3"


def test_no_messages_give_an_empty_table_with_its_columns() -> None:
    table = message_table([])

    assert table.empty
    assert list(table.columns)[:2] == ["Message", "State"]


def test_times_with_and_without_fractions_are_read() -> None:
    messages = [
        Message("a", "running", "pending", "campaign", at, 0, {})
        for at in ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.123456Z")
    ]

    assert message_table(messages)["Created"].notna().all()


def test_counts_come_in_order_with_new_states_and_the_open_ones_last() -> None:
    table = count_table({"gone": 1, "accepted": 6, "later": 2}, 1)

    assert table["Outcome"].tolist() == [*STATES, "later", "open"]
    assert table["Recipients"].tolist() == [6, 1, 0, 0, 0, 0, 2, 1]
