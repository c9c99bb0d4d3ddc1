"""From the values of one record to the payload that the API would have got; pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from api.imports.errors import InvalidMappingError
from api.imports.mapping import ColumnMap, Target
from api.imports.record import LineFault, Record
from api.imports.values import UnfitError


class CellFiller:
    """Fills payloads from the cells of CSV lines, which all have the columns of the header."""

    def __init__(
        self, columns: Sequence[str], targets: Sequence[Target | None], *, clears: bool
    ) -> None:
        self._columns = columns
        self._clears = clears
        self._plan = [
            (index, target.field, target.attribute, target.convert)
            for index, target in enumerate(targets)
            if target is not None
        ]

    def fill(self, line: int, cells: Sequence[str]) -> Record:
        """Return the record of these cells. An empty cell says nothing, or clears."""
        payload: dict[str, Any] = {}
        faults: list[LineFault] = []
        for index, field, attribute, convert in self._plan:
            value: Any = cells[index]
            if not value:
                if not self._clears:
                    continue
                value = None
            elif convert is not None:
                try:
                    value = convert(value)
                except UnfitError as error:
                    faults.append(self._fault(index, field, attribute, error))
                    continue
            if attribute is None:
                payload[field] = value
            else:
                payload.setdefault(field, {})[attribute] = value
        if faults:
            return Record(line, None, tuple(faults))
        return Record(line, payload)

    def _fault(self, index: int, field: str, attribute: str | None, error: UnfitError) -> LineFault:
        pointer = Target(field, attribute).pointer
        return LineFault(pointer, self._columns[index], "invalid_value", str(error))


def fill_object(line: int, found: Mapping[str, Any], columns: ColumnMap) -> Record:
    """Return the record of a JSON object. Its open field is taken as it is."""
    payload: dict[str, Any] = {}
    named: dict[str, Any] = {}
    faults: list[LineFault] = []
    for key, value in found.items():
        if key == columns.rules.open and key not in columns.given:
            payload[key] = value
            continue
        try:
            target = columns.target_of(key)
        except InvalidMappingError as error:
            faults.append(LineFault(Target(key).pointer, key, "unknown_field", error.detail))
            continue
        if target is None:
            continue
        place, name = (payload, target.field)
        if target.attribute is not None:
            place, name = (named, target.attribute)
        try:
            place[name] = _convert(target, value)
        except UnfitError as error:
            faults.append(LineFault(target.pointer, key, "invalid_value", str(error)))
    if faults:
        return Record(line, None, tuple(faults))
    return Record(line, _with_named(payload, columns.rules.open, named))


def _convert(target: Target, value: Any) -> Any:
    return value if target.convert is None or value is None else target.convert(value)


def _with_named(
    payload: dict[str, Any], field: str | None, named: Mapping[str, Any]
) -> dict[str, Any]:
    listed = payload.get(field, {}) if field else None
    if field and named and isinstance(listed, dict):
        payload[field] = {**listed, **named}
    return payload


def column_of(pointer: str, columns: Iterable[tuple[str, Target | None]]) -> str | None:
    """Return the column whose value stands at `pointer`, or above it."""
    return next(
        (
            name
            for name, target in columns
            if target is not None and f"{pointer}/".startswith(f"{target.pointer}/")
        ),
        None,
    )
