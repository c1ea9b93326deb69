"""Result files: one JSON file for each model and benchmark, which ``compare`` and ``report`` read."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from align.errors import InputError
from align.files.whole import SEAL, json_values, read_json, seal_of, whole_file
from align.text.hashing import text_sha256

FORMAT = "align-result"
VERSION = 1

Result = dict[str, Any]

_KINDS = {str: "text", int: "a whole number above 0", float: "a number", dict: "an object", list: "a list"}
_REQUIRED: dict[str, type] = {
    "benchmark": str, "task": str, "model": str, "encoder": dict, "encoder.fingerprint": str, "protocol": dict,
    "data": dict, "data.sha256": str, "metric": str, "statistic": str, "headline": dict, "headline.value": float,
    "scores": list, "missing": list,
}  # fmt: skip

log = logging.getLogger(__name__)


def read_result(path: Path | str) -> Result:
    """A result file, checked.

    Raises:
        InputError: no such file, not JSON, no result, of another version, or a key is missing or holds what it cannot;
            the sentence names the file and the key.
    """
    return check_result(read_json(Path(path)), path)


def write_result(path: Path | str, result: Mapping[str, Any]) -> None:
    """Write a result, whole or not at all; NaN and Inf outside the scores become null.

    Raises:
        InputError: as ``read_result``, or the file cannot be written.
    """
    plain = check_result(json_values(result), path)
    plain = {**plain, SEAL: seal_of(plain)}
    with whole_file(Path(path)) as temporary:
        temporary.write_text(json.dumps(plain, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def result_name(result: Mapping[str, Any]) -> str:
    """``MODEL.BENCHMARK.HASH``, a name for the file of a result; the hash is of what was scored, on what, and how.

    Model and benchmark are the last parts of what they are called, to be read by people. Two results have the same name
    only if all this is equal: model and its name, encoder, bfloat16, benchmark, protocol, languages asked for, place
    and hash of the data. So the same again replaces itself, and nothing else.
    """
    keys = ("encoder", "bf16", "benchmark", "task", "protocol", "languages")
    identity: dict[str, Any] = {key: result.get(key) for key in keys}
    identity["model"] = str(Path(result["model"]))  # model/ is model
    identity["data"] = {key: result["data"].get(key) for key in ("source", "sha256")}
    digest = text_sha256(json.dumps(json_values(identity), sort_keys=True))
    return ".".join([*(file_part(result[key]) for key in ("model", "benchmark")), digest[:12]])


def file_part(name: str) -> str:
    """The last part of a path or Hub name, of what file names may hold, and not too long: different names may share it.

    >>> file_part("runs/my model/"), file_part("..")
    ('my-model', 'model')
    """
    last = "".join(c if c.isalnum() or c in "-_." else "-" for c in Path(name).name)
    return last.strip(".")[:40] or "model"


def result_files(paths: Sequence[Path | str]) -> list[Path]:
    """The files themselves, and the results inside folders, by name; JSON of another kind there is logged, not read.

    Raises:
        InputError: a path does not exist, or a folder holds no result.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if not path.is_dir():
            found.append(path)
            continue
        files = sorted(path.glob("*.json"))
        results = [file for file in files if _is_result(file)]
        if not results:
            raise InputError(f"{path}: expected result files (*.json of `align eval`) in the folder, found none")
        for file in sorted(set(files) - set(results)):
            log.warning("%s is not a result file and is left aside", file)
        found += results
    return found


def check_result(result: Any, where: Path | str) -> Result:
    """``result`` if it is one of this version; ``where`` says in the sentence what it is.

    Raises:
        InputError: it is not.
    """
    kind = result.get("format") if isinstance(result, dict) else None
    if kind != FORMAT:
        raise InputError(f'{where} is not a result file: expected "format": "{FORMAT}", got {kind!r}')
    if result.get("version") != VERSION:
        raise InputError(
            f"{where} is a results file of version {result.get('version')}, this align reads version {VERSION}: "
            "evaluate again"
        )
    for key, wanted in _REQUIRED.items():
        outer, _, inner = key.partition(".")
        _typed(result[outer] if inner else result, inner or outer, wanted, where, f"{outer}." if inner else "")
    if result["statistic"] not in ("mean", "spearman"):
        raise InputError(f"{where}: statistic is {result['statistic']!r}; expected mean or spearman")
    _interval(result["headline"], where, "headline.")
    names = set()
    for place, score in enumerate(result["scores"]):
        _check_score(score, result, where, f"scores[{place}].")
        if score["id"] in names:
            raise InputError(f"{where}: scores[{place}].id is {score['id']!r} for the second time; ids are unique")
        names.add(score["id"])
    checked: dict[str, Any] = result
    return checked


def _check_score(score: Any, result: Result, where: Path | str, prefix: str) -> None:
    if not isinstance(score, dict):
        raise InputError(f"{where}: {prefix[:-1]} is {_short(score)}; expected an object")
    kinds = {"id": str, "language": str, "other": str, "script": str, "direction": str, "n": int, "metrics": dict}
    for key, wanted in kinds.items():
        _typed(score, key, wanted, where, prefix)
    value = _typed(score["metrics"], result["metric"], float, where, f"{prefix}metrics.")
    _interval(score, where, prefix)
    if score.get("lines") is not None:
        lines = _typed(score, "lines", list, where, prefix)
        if len(lines) != score["n"] or not all(type(one) in (int, str) for one in lines):
            raise InputError(
                f"{where}: {prefix}lines: expected {score['n']} numbers or names of lines (n), got {_short(lines)}"
            )
    if score.get("items") is None:
        return
    ranked = result["statistic"] == "spearman"
    for key in ("items", "gold") if ranked else ("items",):
        numbers = _typed(score, key, list, where, prefix)
        if len(numbers) != score["n"] or not all(map(_is_number, numbers)):
            raise InputError(f"{where}: {prefix}{key}: expected {score['n']} finite numbers (n), got {_short(numbers)}")
    if not ranked and abs(math.fsum(score["items"]) / score["n"] - value) > 1e-4:
        raise InputError(f"{where}: {prefix}items: their mean is not {result['metric']}, which is {value}")


def _typed(holder: Mapping[str, Any], key: str, wanted: type, where: Path | str, prefix: str) -> Any:
    if key not in holder:
        raise InputError(f"{where}: {prefix}{key} is missing; expected {_KINDS[wanted]}")
    value = holder[key]
    right = _is_number(value) if wanted is float else isinstance(value, wanted) and not isinstance(value, bool)
    if not right or (wanted is int and value < 1):
        raise InputError(f"{where}: {prefix}{key} is {_short(value)}; expected {_KINDS[wanted]}")
    return value


def _interval(holder: Mapping[str, Any], where: Path | str, prefix: str) -> None:
    ends = holder.get("interval")
    if ends is not None and not (isinstance(ends, list | tuple) and len(ends) == 2 and all(map(_is_number, ends))):
        raise InputError(f"{where}: {prefix}interval is {_short(ends)}; expected two numbers, or null")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_result(path: Path) -> bool:
    value = read_json(path)
    return isinstance(value, dict) and value.get("format") == FORMAT
