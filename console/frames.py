"""Tables for the pages, made of messages. Pure pandas: no HTTP, no Streamlit, no clock."""

from collections.abc import Mapping, Sequence

import pandas as pd

from console.client import Message

# The end of a recipient, in the order of the outcome table. Others, should they come, follow.
STATES = ("accepted", "gone", "rejected", "expired", "unknown", "suppressed")


def open_recipients(message: Message) -> int | None:
    """Return how many recipients have not ended yet; None while the audience is not cut."""
    if message.targeted is None:
        return None
    return message.targeted - sum(message.counts.values())


def message_table(messages: Sequence[Message]) -> pd.DataFrame:
    """Return one row a message: what it is, how many it targets and how they ended."""
    records = [
        {
            "Message": message.id,
            "State": message.state,
            "Lane": message.lane,
            "Targeted": message.targeted,
            "Open": open_recipients(message),
            **{state.capitalize(): message.counts.get(state, 0) for state in STATES},
            "Created": message.created_at,
        }
        for message in messages
    ]
    columns = ["Message", "State", "Lane", "Targeted", "Open"]
    columns += [state.capitalize() for state in STATES]
    table = pd.DataFrame(records, columns=[*columns, "Created"])
    numbers = table.columns.difference(["Message", "State", "Lane", "Created"])
    table[numbers] = table[numbers].astype("Int64")
    table["Created"] = pd.to_datetime(table["Created"], utc=True, format="ISO8601", errors="coerce")
    return table


def count_table(counts: Mapping[str, int], open_now: int | None) -> pd.DataFrame:
    """Return one row an end, in the order of `STATES`, and a last one for those still open."""
    states = [*STATES, *sorted(counts.keys() - set(STATES))]
    rows = [(state, counts.get(state, 0)) for state in states]
    if open_now is not None:
        rows.append(("open", open_now))
    return pd.DataFrame(rows, columns=["Outcome", "Recipients"])
