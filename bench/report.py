"""From the figures of many runs to what `bench send` prints; pure."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from bench.contenders import OURS, OURS_FCM
from bench.senders.job import FCM, Figures

Runs = Mapping[str, Sequence[Figures]]


def medians(runs: Sequence[Figures]) -> dict[str, float]:
    """Return the two figures that count, each the median of the runs."""
    return {
        "pushes_per_second": round(median(run.pushes_per_second for run in runs), 1),
        "cpu_us_per_push": round(median(run.cpu_us_per_push for run in runs), 2),
    }


def summary(runs: Runs, shapes: Mapping[str, str]) -> dict[str, Any]:
    """Return the medians of all, and how many times our CPU each peer takes.

    A peer is compared with ours in its own shape.
    """
    figures = {name: medians(found) for name, found in runs.items()}
    shown: dict[str, Any] = {name: found for name, found in figures.items() if name != OURS_FCM}
    for name in [name for name in shown if name != OURS]:
        in_fcm = shapes[name] == FCM and OURS_FCM in figures
        ours = figures[OURS_FCM if in_fcm else OURS]["cpu_us_per_push"]
        shown[f"ratio_cpu_{name}"] = round(figures[name]["cpu_us_per_push"] / ours, 2)
    return dict(sorted(shown.items(), key=lambda item: item[0].startswith("ratio")))


def samples(runs: Runs) -> dict[str, list[list[float]]]:
    """Return [pushes per second, CPU microseconds per push] of every run."""
    return {
        name: [[round(run.pushes_per_second, 1), round(run.cpu_us_per_push, 2)] for run in found]
        for name, found in runs.items()
    }


def table(result: Mapping[str, Any]) -> str:
    """Return the figures for people."""
    lines = [f"{'':<16}{'pushes/s':>12}{'CPU us/push':>14}{'times our CPU':>16}"]
    rows = {name: value for name, value in result.items() if name in _ROWS}
    if OURS_FCM in result["conditions"]:
        rows[OURS_FCM] = result["conditions"][OURS_FCM]
    for name, found in rows.items():
        ratio = result.get(f"ratio_cpu_{name}", "")
        lines.append(
            f"{_ROWS[name]:<16}{found['pushes_per_second']:>12,.0f}"
            f"{found['cpu_us_per_push']:>14.1f}{ratio:>16}"
        )
    return "\n".join([*lines, f"server: {result['server']}"])


_ROWS = {
    OURS: "ours",
    OURS_FCM: "ours, FCM shape",
    "aioapns": "aioapns",
    "firebase_admin": "firebase-admin",
    "libcurl": "libcurl",
}
