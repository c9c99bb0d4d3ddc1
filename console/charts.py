"""Charts as Vega-Lite takes them. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

import pandas as pd

# They can be told apart on white and on black.
_COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "Accepted": "#2f9e62",
        "Gone": "#8b93a1",
        "Rejected": "#d64545",
        "Expired": "#e08a2b",
        "Unknown": "#8e63ce",
        "Suppressed": "#4f7fd6",
    }
)
_DAY_MINUTES = 1_440


def over_time_chart(
    table: pd.DataFrame, now: datetime, minutes: int, bucket_seconds: int
) -> dict[str, Any]:
    """Return stacked bars of `frames.over_time_table`, over the whole time that was asked for."""
    outcomes = [name for name in _COLOURS if name in set(table["Outcome"])]
    span = [now - timedelta(minutes=minutes), now + timedelta(seconds=bucket_seconds)]
    clock = "%H:%M" if minutes <= _DAY_MINUTES else "%d %b"
    return {
        "mark": {"type": "rect"},
        "encoding": {
            "x": {
                "field": "Begins",
                "type": "temporal",
                "axis": {"format": clock, "title": None, "grid": False, "tickCount": 8},
                "scale": {"domain": [int(moment.timestamp() * 1_000) for moment in span]},
            },
            "x2": {"field": "Ends"},
            "y": {"field": "Below", "type": "quantitative", "title": None},
            "y2": {"field": "Above"},
            "color": {
                "field": "Outcome",
                "type": "nominal",
                "scale": {"domain": outcomes, "range": [_COLOURS[name] for name in outcomes]},
                "legend": {"orient": "bottom", "title": None},
            },
            "tooltip": [
                {"field": "Begins", "type": "temporal", "format": "%d %b %H:%M:%S"},
                {"field": "Outcome", "type": "nominal"},
                {"field": "Recipients", "type": "quantitative", "format": ","},
            ],
        },
    }
