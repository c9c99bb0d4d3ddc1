"""Fails on what STYLE calls a hard stop, naming each place; style_metrics prints the aims.

Usage: check_style.py CLONE
"""

import ast
import contextlib
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import style_metrics

ROOTS = ("core", "delivery", "segments", "campaigns", "api", "console", "bench")
TESTS = "tests"
FILE_LINES, TEST_FILE_LINES, FUNCTION_LINES = 300, 400, 40
POSITIONAL = 5
SHARE_LINES, SHARE_PERCENT = 250, 95
PATCHES_PER_TEST = 0.05
Function = ast.FunctionDef | ast.AsyncFunctionDef


def main(clone: Path) -> int:
    """Print every breach, then the figures, and return 1 if there was a breach."""
    roots = [clone / name for name in ROOTS if (clone / name).is_dir()]
    figures = measured(roots, clone / TESTS)
    found = [
        *(breach for root in roots for breach in tree_breaches(clone, root, FILE_LINES)),
        *tree_breaches(clone, clone / TESTS, TEST_FILE_LINES),
        *share_breaches(roots),
        *figure_breaches(figures),
    ]
    print("\n".join(found) or figures.strip())
    return 1 if found else 0


def measured(roots: list[Path], tests: Path) -> str:
    """Return what style_metrics prints about the trees."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        lines = style_metrics.size_report(roots)
        style_metrics.import_report(roots)
        if tests.is_dir():
            style_metrics.test_report(tests, lines)
    return output.getvalue()


def tree_breaches(clone: Path, root: Path, limit: int) -> Iterator[str]:
    """Yield the files and functions of one tree that pass a limit."""
    for path in sorted(root.rglob("*.py")):
        text, place = path.read_text(), path.relative_to(clone)
        if (lines := text.count("\n")) > limit:
            yield f"{place}: {lines} lines, the limit is {limit}"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, Function):
                yield from (f"{place}:{node.lineno}: {what}" for what in function_breaches(node))


def function_breaches(node: Function) -> Iterator[str]:
    """Yield what is wrong with one function."""
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    if lines > FUNCTION_LINES:
        yield f"{node.name} has {lines} lines, the limit is {FUNCTION_LINES}"
    positional = [*node.args.posonlyargs, *node.args.args]
    count = len(positional) - (positional[:1] != [] and positional[0].arg in {"self", "cls"})
    # pytest hands fixtures over by name, so a test's parameters are no call anybody writes.
    if count > POSITIONAL and not node.name.startswith("test_"):
        yield f"{node.name} has {count} positional parameters, the limit is {POSITIONAL}"
    if node.returns is None:
        yield f"{node.name} has no return type"
    for inner in ast.walk(node):
        if isinstance(inner, ast.Import | ast.ImportFrom):
            yield f"{node.name} imports inside the function (line {inner.lineno})"


def share_breaches(roots: list[Path]) -> Iterator[str]:
    """Yield a line when too many files are long, though none passes the hard stop."""
    sizes = [text.count("\n") for root in roots for _, text in style_metrics.sources(root)]
    sizes = [size for size in sizes if size >= 2]
    percent = 100 * sum(size <= SHARE_LINES for size in sizes) / max(1, len(sizes))
    if percent < SHARE_PERCENT:
        yield f"{percent:.0f} % of files have at most {SHARE_LINES} lines, wanted {SHARE_PERCENT} %"


def figure_breaches(figures: str) -> Iterator[str]:
    """Yield the breaches that only whole trees show: cycles and patches."""
    cycles = re.search(r"cycles: modules (\d+); parts in a cycle (\d+)", figures)
    if cycles is None or cycles.groups() != ("0", "0"):
        yield f"import cycles: {cycles.group() if cycles else 'not measured'}"
    patches = re.search(r"patches/mocks per test ([\d.]+)", figures)
    if patches and float(patches.group(1)) > PATCHES_PER_TEST:
        yield f"{patches.group()}, the limit is {PATCHES_PER_TEST}"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
