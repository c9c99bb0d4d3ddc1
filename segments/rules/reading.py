"""How JSON becomes values: places that collect faults, and objects read by their fields. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from core.errors import FieldError

FAULTS_LIMIT = 100


class _Invalid:
    """What a reader returns when it has said what is wrong."""


INVALID: Final = _Invalid()
REQUIRED: Final = object()


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a document, and where to say what is wrong there."""

    pointer: str
    faults: list[FieldError]
    # Reads a node inside of another.
    read_node: "Callable[[Any, Place], Any]"

    def at(self, step: str | int) -> "Place":
        """Return a place inside of this one."""
        escaped = str(step).replace("~", "~0").replace("/", "~1")
        return Place(f"{self.pointer}/{escaped}", self.faults, self.read_node)

    def refuse(self, code: str, message: str) -> _Invalid:
        """Say what is wrong here."""
        if len(self.faults) < FAULTS_LIMIT:
            self.faults.append(FieldError(self.pointer, code, message))
        return INVALID


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value: how it is read, and its JSON schema."""

    read: Callable[[Any, Place], Any]
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object. Without a default it is required."""

    kind: Kind
    words: str
    default: Any = REQUIRED


@dataclass(frozen=True, slots=True)
class Choice:
    """A field that says which form the object has. Without a default it is required."""

    options: tuple[str, ...]
    words: str
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """One form of an object: what its choices are, and the fields it has then."""

    choices: Mapping[str, Choice] = field(default_factory=dict)
    fields: Mapping[str, Field] = field(default_factory=dict)


def read_object(value: Any, place: Place, forms: Sequence[Form]) -> dict[str, Any] | _Invalid:
    """Return the choices and fields of an object that has one of these forms.

    `forms` name their choices in the same order, most telling first.
    """
    if not isinstance(value, Mapping):
        return place.refuse("wrong_type", "must be an object")
    chosen: dict[str, Any] = {}
    fitting = list(forms)
    # Later choices may exist in some of the forms only.
    while names := [name for name in fitting[0].choices if name not in chosen]:
        name = names[0]
        option = _choose(value, place, name, fitting)
        if isinstance(option, _Invalid):
            return INVALID
        chosen[name] = option
        fitting = [form for form in fitting if option in form.choices[name].options]
    return _read_fields(value, place, fitting[0], chosen)


def _choose(
    value: Mapping[str, Any], place: Place, name: str, forms: Sequence[Form]
) -> str | _Invalid:
    options = [option for form in forms for option in form.choices[name].options]
    given = value.get(name)
    if name not in value:
        defaults = [form.choices[name].default for form in forms]
        default = next(filter(None, defaults), None)
        return default or place.at(name).refuse("missing", f"must be one of {_listed(options)}")
    if not isinstance(given, str):
        return place.at(name).refuse("wrong_type", "must be a text")
    if given not in options:
        return place.at(name).refuse("invalid_value", f"must be one of {_listed(options)}")
    return given


def _read_fields(
    value: Mapping[str, Any], place: Place, form: Form, chosen: dict[str, Any]
) -> dict[str, Any] | _Invalid:
    count = len(place.faults)
    for name in value:
        if name not in form.fields and name not in chosen:
            known = _listed([*chosen, *form.fields])
            place.at(name).refuse("unknown_field", f"There is no such field here, but {known}.")
    read = dict(chosen)
    for name, one in form.fields.items():
        if name in value:
            read[name] = one.kind.read(value[name], place.at(name))
        elif one.default is REQUIRED:
            place.at(name).refuse("missing", "The field is required.")
        else:
            read[name] = one.default
    return read if len(place.faults) == count else INVALID


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in dict.fromkeys(names))


def object_schema(forms: Sequence[Form]) -> dict[str, Any]:
    """Return the JSON schema of an object that has one of these forms."""
    schemas = [_form_schema(form) for form in forms]
    return schemas[0] if len(schemas) == 1 else {"oneOf": schemas}


def _form_schema(form: Form) -> dict[str, Any]:
    choices = {
        name: {
            **({"const": one.options[0]} if len(one.options) == 1 else {"enum": [*one.options]}),
            "description": one.words,
        }
        for name, one in form.choices.items()
    }
    fields = {
        name: {**one.kind.schema, "description": one.words} for name, one in form.fields.items()
    }
    required = [name for name, one in form.choices.items() if one.default is None]
    required += [name for name, one in form.fields.items() if one.default is REQUIRED]
    return {
        "type": "object",
        "properties": {**choices, **fields},
        "required": required,
        "additionalProperties": False,
    }
