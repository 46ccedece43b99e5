"""The HTTP reference, written from the OpenAPI document."""

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["page"]

Document = Mapping[str, Any]


def page(document: Document) -> str:
    """Return the reference of every operation and every named schema as Markdown."""
    return "\n".join([*_operations(document), *_schemas(document)])


def _operations(document: Document) -> Iterator[str]:
    """Yield a section for each method on each path, then the meanings of the statuses of errors."""
    meanings: dict[str, str] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"## `{method.upper()} {path}`\n\n{operation['summary']}. {_role(operation)}\n"
            yield from _parameters(operation)
            yield from _bodies(operation)
            meanings |= {status: said["description"] for status, said in operation["responses"].items()}
    rows = [f"| {status} | {meaning} |" for status, meaning in sorted(meanings.items()) if status >= "400"]
    yield "\n".join(["## Errors\n", "| status | meaning |", "|---|---|", *rows, ""])


def _role(operation: Document) -> str:
    if not operation["security"]:
        return "Needs no credentials."
    return f"Needs the role `{operation['security'][0]['bearer'][0]}`."


def _parameters(operation: Document) -> Iterator[str]:
    shown = [parameter for parameter in operation["parameters"] if parameter["in"] != "path"]
    if shown:
        rows = [f"| `{each['name']}` | {each['in']} | {each['description']} |" for each in shown]
        yield "\n".join(["| parameter | in | meaning |", "|---|---|---|", *rows, ""])


def _bodies(operation: Document) -> Iterator[str]:
    rows = []
    if "requestBody" in operation:
        rows.append(f"| request | {_content(operation['requestBody'])} |")
    answers = operation["responses"].items()
    rows += [f"| {status} | {_content(answer) or 'none'} |" for status, answer in answers if status < "400"]
    failures = ", ".join(status for status, _ in answers if status >= "400")
    rows.append(f"| {failures} | [Problem](#schema-problem) |")
    yield "\n".join(["| | body |", "|---|---|", *rows, ""])


def _content(described: Document) -> str:
    return ", ".join(_shape(body["schema"]) for body in described.get("content", {}).values())


def _schemas(document: Document) -> Iterator[str]:
    """Yield a section for each named schema."""
    yield "## Bodies\n"
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield f"(schema-{name.lower()})=\n### {name}\n"
        if "description" in schema:
            yield f"{schema['description']}\n"
        if "properties" not in schema:
            yield f"{_shape(schema)}\n"
            continue
        required = schema.get("required", ())
        rows = [
            f"| `{field}` | {_shape(shape)} | {'' if field in required else 'optional'} |"
            for field, shape in schema["properties"].items()
        ]
        yield "\n".join(["| field | shape | |", "|---|---|---|", *rows, ""])


def _shape(schema: Document) -> str:
    """Say in a few words what a schema accepts."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#schema-{name.lower()})"
    for key, word in (("anyOf", " or "), ("oneOf", " or "), ("allOf", " and ")):
        if key in schema:
            return word.join(_shape(each) for each in schema[key])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return " ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array" and "items" in schema:
        return f"list of {_shape(schema['items'])}{_limits(schema)}"
    if "properties" in schema:
        return "{" + ", ".join(f"`{name}`: {_shape(each)}" for name, each in schema["properties"].items()) + "}"
    return f"{schema.get('type', 'anything')}{_limits(schema)}"


_LIMITS = {"minimum": "from", "maximum": "to", "minLength": "at least", "maxLength": "at most", "maxItems": "at most"}


def _limits(schema: Document) -> str:
    words = [f"{word} {schema[key]:,}" for key, word in _LIMITS.items() if key in schema]
    return f" ({', '.join(words)})" if words else ""
