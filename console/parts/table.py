"""A table to look at: times as people write them, nothing where there is nothing."""

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

_TIME = st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss", timezone="UTC")


def columns_of(table: pd.DataFrame) -> dict[str, ColumnConfig | str | None]:
    """Return how to show the columns: times are in UTC, sentences get room where there are some."""
    has_words = "Why" in table and bool(table["Why"].any())
    times = {str(name): _TIME for name in table.select_dtypes("datetimetz").columns}
    return {**times, "Why": {"width": "large" if has_words else "small"}}


def show_table(table: pd.DataFrame) -> None:
    """Show the table."""
    st.dataframe(table, hide_index=True, column_config=columns_of(table), placeholder="")


def choose_row(table: pd.DataFrame, key: str) -> int | None:
    """Show the table and return the place of the row that is chosen, None without one."""
    chosen = st.dataframe(
        table,
        hide_index=True,
        column_config=columns_of(table),
        placeholder="",
        key=key,
        on_select="rerun",
        selection_mode="single-row",
    )
    rows = chosen["selection"]["rows"]
    return int(rows[0]) if rows else None
