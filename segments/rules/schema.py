"""The JSON schema of rules, for OpenAPI and for whoever writes a builder. Pure."""

from collections.abc import Mapping
from typing import Any

from segments.rules.language import LANGUAGE, Word
from segments.rules.parsing import DEPTH_LIMIT, NODES_LIMIT
from segments.rules.reading import object_schema

RULE = "Rule"


def rule_schemas(prefix: str = "#/components/schemas/") -> dict[str, Any]:
    """Return the named schemas of rules: `Rule`, and one for each node, such as `RuleEvent`.

    `prefix` is where they are kept in the document, for the references between them.
    """
    nodes = {f"{RULE}{name.title()}": _node(name, word) for name, word in LANGUAGE.items()}
    mapping = {name: f"{prefix}{RULE}{name.title()}" for name in LANGUAGE}
    rule = {
        "title": "Rule",
        "description": (
            f"Whom is meant. Nodes may be nested {DEPTH_LIMIT} levels deep, and a rule may have "
            f"{NODES_LIMIT} of them; each condition inside of one counts, too."
        ),
        "oneOf": [{"$ref": reference} for reference in mapping.values()],
        "discriminator": {"propertyName": "type", "mapping": mapping},
    }
    found: dict[str, Any] = _moved({RULE: rule, **nodes}, prefix)
    return found


def rule_document() -> dict[str, Any]:
    """Return one JSON schema (2020-12) that stands by itself."""
    schemas = rule_schemas("#/$defs/")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": f"#/$defs/{RULE}",
        "$defs": schemas,
    }


def _node(name: str, word: Word) -> dict[str, Any]:
    schema = object_schema(word.forms)
    forms = schema.get("oneOf", [schema])
    for form in forms:
        form["properties"] = {"type": {"const": name}, **form["properties"]}
        form["required"] = ["type", *form["required"]]
    return {
        "title": f"Rule: {name}",
        "description": word.words,
        **(schema if len(forms) == 1 else {"type": "object", "oneOf": forms}),
        "examples": [{"type": name, **example} for example in word.examples],
    }


def _moved(value: Any, prefix: str) -> Any:
    """Return a schema whose references lead to where the schemas are kept."""
    if isinstance(value, Mapping):
        return {
            key: f"{prefix}{one.removeprefix('#/$defs/')}"
            if key == "$ref" and one.startswith("#/$defs/")
            else _moved(one, prefix)
            for key, one in value.items()
        }
    return [_moved(one, prefix) for one in value] if isinstance(value, list | tuple) else value
