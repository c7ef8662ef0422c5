"""Compares what the stand-in says with Slack's own samples: no key that Slack does not know, no other type."""

import json
from pathlib import Path
from typing import Any

# The samples cut long lists and depths: a view's blocks are in the Web API's sample and not in the payloads'.
CUT = {"view": {"blocks"}}
# The sample shows one kind of input element; each kind has its own keys.
ONE_KIND_SHOWN = {"element"}


def sample(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "text"
    return "list" if isinstance(value, list) else "object"


def differences(said: Any, known: Any, place: str = "") -> list[str]:
    """Every key of `said` that `known` has not, and every value of another type; null fits all."""
    if said is None:
        return []
    if kind(said) != kind(known):
        return [f"{place}: {kind(said)}, Slack has {kind(known)}"]
    if place.rpartition(".")[2] in ONE_KIND_SHOWN:
        return []
    if isinstance(said, dict) and known:
        found = []
        for key, value in said.items():
            if key in known:
                found += differences(value, known[key], f"{place}.{key}")
            elif key not in CUT.get(place.rpartition(".")[2], set()):
                found.append(f"{place}.{key}: Slack has no such key")
        return found
    if isinstance(said, list) and known:
        return [d for n, value in enumerate(said) for d in differences(value, known[0], f"{place}[{n}]")]
    return []
