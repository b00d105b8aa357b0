"""What is wrong with a setting, in this project's own words: which key, what came, what is allowed, what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from annotate_select.words import counted

__all__ = ["COLOR", "KEY", "problems"]

COLOR, KEY = "^#[0-9a-fA-F]{6}$", "^[!-~]$"  # patterns of settings
PATTERNS = {
    COLOR: "must be a colour as # and six digits 0-9 or a-f, such as #0072b2",
    KEY: "must be one key: a letter a-z, a digit, or a sign such as ! or ;",
}
# By the type of the problem; what stands in braces is what the setting allows.
MUST = {
    "missing": "is missing; add it",
    "extra_forbidden": "is no setting there is; check its spelling, or remove it",
    "string_type": "must be text in quotes",
    "list_type": "must be a list, such as ['ok', 'dent']",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "dict_type": "must be a table of settings",
    "model_type": "must be a table of settings",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
    "greater_than": "must be more than {gt:g}",
    "less_than": "must be less than {lt:g}",
    "literal_error": "must be {expected}",
}
SHARES = "must be a share between 0 and 1, such as 0.9, or a table with one for each class"


def problems(error: ValidationError) -> str:
    """Say of each problem which key it is in, what is allowed, and what came."""
    said = [_problem(dict(one)) for one in error.errors(include_url=False)]
    return "; ".join(dict.fromkeys(said))


def _problem(one: Mapping[str, Any]) -> str:
    if "pass_recall" in one["loc"]:  # one number or one for each class: what came may be wrong as either
        places = [str(part) for part in one["loc"] if "float" not in str(part)]
        return f"{'.'.join(places)}: {SHARES}{_got(one)}"
    key = ".".join(str(part) for part in one["loc"]) or "the file"
    if one["type"] == "value_error":
        return f"{key}: {one['msg'].removeprefix('Value error, ')}"
    return f"{key}: {_must(one)}{_got(one)}"


def _must(one: Mapping[str, Any]) -> str:
    allowed = one.get("ctx", {})
    if one["type"] == "string_pattern_mismatch":
        return PATTERNS.get(allowed["pattern"], f"must fit {allowed['pattern']}")
    noun = "character" if one["type"].startswith("string_too") else "entry"
    if one["type"].endswith("too_short"):
        return f"must have at least {counted(allowed['min_length'], noun)}"
    if one["type"].endswith("too_long"):
        return f"must have at most {counted(allowed['max_length'], noun)}"
    return MUST[one["type"]].format(**allowed) if one["type"] in MUST else str(one["msg"])


def _got(one: Mapping[str, Any]) -> str:
    value = one["input"]
    if one["type"] == "missing":
        return ""
    if one["type"].endswith("too_long"):
        return f", got {len(value):,}"
    return f", got {value!r}"
