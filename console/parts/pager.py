"""Paging through a list by cursors: forward, and back by those that were passed."""

from dataclasses import dataclass

import streamlit as st


@dataclass(frozen=True, slots=True)
class Pager:
    """Where somebody is in one list; the cursors passed are kept in the session."""

    name: str

    @property
    def present(self) -> str | None:
        """The cursor of the page to show, None on the first."""
        passed = self._passed()
        return passed[-1] if passed else None

    def show(self, next_cursor: str | None) -> None:
        """Show the buttons, where there is anywhere to go."""
        passed = self._passed()
        if not passed and next_cursor is None:
            return
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button("Back", key=f"{self.name}-back", on_click=self._go_back, disabled=not passed)
            st.caption(f"Page {len(passed) + 1}")
            st.button(
                "Next",
                key=f"{self.name}-next",
                on_click=self._go_on,
                args=(next_cursor,),
                disabled=next_cursor is None,
            )

    def _passed(self) -> list[str]:
        found: list[str] = st.session_state.setdefault(f"pager-{self.name}", [])
        return found

    def _go_back(self) -> None:
        self._passed().pop()

    def _go_on(self, cursor: str) -> None:
        self._passed().append(cursor)
