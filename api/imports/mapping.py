"""Which column becomes what: mappings as callers write them, and what unmapped columns become."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from api.imports.errors import InvalidMappingError
from api.imports.record import ImportOptions, Unmapped
from api.imports.values import CONVERTERS, Convert
from api.json_body import is_storable, pointer_step
from segments.consents.consent import ConsentKind

IGNORE = "ignore"
REFUSE = "refuse"
# Columns that say yes or no, each to one kind of consent.
CONSENTS: Mapping[str, ConsentKind] = MappingProxyType(
    {f"consent_{kind}": kind for kind in ConsentKind}
)
_CONVERTED = {"at": CONVERTERS["time"], **dict.fromkeys(CONSENTS, CONVERTERS["bool"])}
_LISTED = 20


@dataclass(frozen=True, slots=True)
class KindRules:
    """What one kind of import has: plain fields, and those a file can not do without.

    Of `one_of`, where it names some, a file needs one at least. `open` is the object that holds
    names of the caller's own, None where there is none. `clears` is whether what is known can be
    cleared.
    """

    fields: tuple[str, ...]
    required: tuple[str, ...]
    open: Literal["attributes", "properties"] | None
    unmapped: Unmapped
    one_of: tuple[str, ...] = ()
    clears: bool = True


RULES: Mapping[str, KindRules] = MappingProxyType(
    {
        "people": KindRules(
            ("external_id", "locale", "time_zone", "country", "consents", *CONSENTS),
            ("external_id",),
            open="attributes",
            unmapped="attributes",
        ),
        "devices": KindRules(
            (
                *("installation_id", "provider", "kind", "token", "fid", "environment", "topic"),
                *("platform", "permission", "person", "app_version", "os_version", "model"),
                *("locale", "time_zone", "last_seen_at"),
            ),
            ("installation_id", "provider", "platform"),
            open=None,
            unmapped="refuse",
        ),
        "events": KindRules(
            ("uuid", "name", "person", "anonymous_id", "at"),
            ("name", "at"),
            open="properties",
            unmapped="properties",
            one_of=("person", "anonymous_id"),
            clears=False,
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a value goes: a field, or with `attribute` what has that name in an open field."""

    field: str
    attribute: str | None = None
    convert: Convert | None = None

    @property
    def pointer(self) -> str:
        """Return the place of the value in the item."""
        steps = [self.field] if self.attribute is None else [self.field, self.attribute]
        return "".join(map(pointer_step, steps))


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """The targets that were given by column (None: ignored), and the rule for all others."""

    rules: KindRules
    given: Mapping[str, Target | None]
    unmapped: Unmapped

    def target_of(self, column: str) -> Target | None:
        """Return where a column goes, None for nowhere; raise `InvalidMappingError`.

        What nobody mapped goes by its own name.
        """
        if column in self.given:
            return self.given[column]
        target = _parse(self.rules, column)
        if target is not None or self.unmapped == "ignore":
            return target
        if self.unmapped == self.rules.open:
            return Target(self.unmapped, column)
        raise InvalidMappingError(
            f"The column {column!r} fits no field. Map it, or ignore what is not mapped."
        )

    def targets(self, columns: Sequence[str]) -> list[Target | None]:
        """Return the targets of a header's columns; raise `InvalidMappingError`."""
        more = ", …" if len(columns) > _LISTED else ""
        there = f"The columns are: {', '.join(columns[:_LISTED])}{more}."
        _refuse("The file has no column {}.", self.given.keys() - set(columns), there)
        found = [self.target_of(column) for column in columns]
        pointers = Counter(target.pointer for target in found if target is not None)
        twice = {pointer for pointer, count in pointers.items() if count > 1}
        _refuse("Several columns go to {}.", twice, there)
        lacking = {name for name in self.rules.required if f"/{name}" not in pointers}
        if self.rules.one_of and not any(f"/{name}" in pointers for name in self.rules.one_of):
            lacking.add(" or ".join(self.rules.one_of))
        _refuse("No column gives {}. Map one, as in COLUMN=FIELD.", lacking, there)
        return found


def map_columns(options: ImportOptions) -> ColumnMap:
    """Return the mapping that `options` ask for; raise `InvalidMappingError`."""
    rules = RULES[options.kind]
    unmapped = options.unmapped or rules.unmapped
    if unmapped not in {rules.open, IGNORE, REFUSE}:
        raise InvalidMappingError(
            f"{options.kind.capitalize()} have no {unmapped}: ignore or refuse other columns."
        )
    if options.empty == "clear" and not rules.clears:
        raise InvalidMappingError(
            f"An empty cell can clear nothing of {options.kind}, as they are never changed: "
            "keep is the only choice for empty."
        )
    given = {column: _require(rules, target) for column, target in options.maps}
    if len(given) < len(options.maps):
        raise InvalidMappingError("A column is mapped twice.")
    return ColumnMap(rules, given, unmapped)


def split_map(text: str) -> tuple[str, str]:
    """Return column and target of `Customer ID=external_id`; raise `InvalidMappingError`."""
    if not is_storable(text):
        raise InvalidMappingError(f"{text!r} is no mapping: it must be UTF-8 without U+0000.")
    column, sign, target = text.rpartition("=")
    if not (sign and column and target):
        raise InvalidMappingError(f"{text!r} is no mapping: write COLUMN=TARGET.")
    return column, target


def _require(rules: KindRules, text: str) -> Target | None:
    target = _parse(rules, text)
    if target is None and text != IGNORE:
        names = f", {rules.open}.NAME:TYPE" if rules.open else ""
        raise InvalidMappingError(
            f"There is no target {text!r}. Targets are {', '.join(rules.fields)}{names} "
            f"and {IGNORE}; types are {', '.join(CONVERTERS)}."
        )
    return target


def _parse(rules: KindRules, text: str) -> Target | None:
    if text in rules.fields:
        return Target(text, convert=_CONVERTED.get(text))
    if rules.open is None or not text.startswith(f"{rules.open}."):
        return None
    name, colon, kind = text.removeprefix(f"{rules.open}.").rpartition(":")
    if not colon:
        name, kind = kind, "text"
    if not name or kind not in CONVERTERS:
        return None
    return Target(rules.open, name, CONVERTERS[kind])


def _refuse(words: str, names: Iterable[str], there: str) -> None:
    listed = ", ".join(sorted(names))
    if listed:
        raise InvalidMappingError(f"{words.format(listed)} {there}")
