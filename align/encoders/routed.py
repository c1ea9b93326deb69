"""Two encoders as one model: native text by the first, as ever, romanised text by the second."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from align import __version__
from align.encoders.checkpoint import given_encoder, load_encoder
from align.encoders.encoder import Encoder
from align.encoders.route import NATIVE, ROMANISED, Route
from align.encoders.saving import ENCODER, save_encoder
from align.errors import InputError
from align.files.folders import MARK, whole_folder, writing
from align.files.whole import read_json, write_json

CARD = """# Sentence encoder of native and of romanised text, saved by Align

Text in Latin letters in one of these languages is read by an encoder of its own: {languages}.
Text in one of these scripts is read by it too, romanised: {scripts}.

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer({name!r}{trust})
model.encode(texts)                             # native text
model.encode(romanised, task={example!r})     # or task="romanised"; and for text in these scripts
```
"""


def route(
    native: Encoder | str | Path,
    romanised: Encoder | str | Path,
    out: Path | str,
    *,
    languages: Sequence[str] = (),
    scripts: Sequence[str] | str = (),
    **load: Any,
) -> Encoder:
    """Give romanised text an encoder of its own; all other text keeps the vectors of ``native``, to the last bit.

    ``load_encoder(out)`` is an encoder whose ``encode(texts, language=...)`` chooses by script and language, as
    :class:`align.encoders.route.Route` says. ``SentenceTransformer(out)`` loads without code of ours: a Router whose
    task, ``"romanised"`` or a code such as ``"hin_Latn"``, says that texts are romanised. An index of vectors that
    ``native`` made may be searched with the result.

    Args:
        native: an encoder, or what :func:`align.load_encoder` takes.
        romanised: the same; trained from ``native``, whose vectors of native text it learnt (``info_nce.frozen``).
        out: the folder; an older encoder that Align saved there is replaced.
        languages: codes of the romanised text, such as hin_Latn; und_Latn: all Latin text of unknown language.
        scripts: ISO 15924 codes of the scripts that it reads as well, whatever the language; ``fallback``: those that
            both romanise (:func:`align.scripts`).
        load: further options of :func:`align.load_encoder`, of ``native`` given by name: prompt, layer, ...

    Raises:
        InputError: the two differ in more than their weights, a language is no code in Latin script, there is neither
            language nor script, or no fallback where its scripts are asked for.
    """
    with writing(out, kind=ENCODER):
        encoder = given_encoder(native, load)
        tower = romanised if isinstance(romanised, Encoder) else load_encoder(romanised, device=encoder.device)
        made = Route(tower, languages, _scripts(encoder, scripts))
        made.check(encoder)
    with whole_folder(out, kind=ENCODER, hashed=True) as folder:
        for name, one in ((NATIVE, encoder), (ROMANISED, tower)):
            save_encoder(one, folder / name)
            (folder / name / MARK).unlink()  # it is part of this folder
        tasks = [*made.languages, *made.scripts]
        _write_router(folder, tasks)
        settings = {"align": __version__, "route": {"languages": list(made.languages), "scripts": list(made.scripts)}}
        identity = encoder.identity() | {"route": made.identity()}
        write_json(folder / "align.json", settings | {"identity": identity})
        card = CARD.format(
            languages=", ".join(made.languages) or "none", scripts=", ".join(made.scripts) or "none",
            name=Path(out).name, example=tasks[0], trust=", trust_remote_code=True" if encoder.fallback else "",
        )  # fmt: skip
        (folder / "README.md").write_text(card, encoding="utf-8")
    return load_encoder(out, device=encoder.device)


def _scripts(native: Encoder, asked: Sequence[str] | str) -> Sequence[str]:
    if asked != "fallback":
        return [asked] if isinstance(asked, str) else asked
    if native.fallback is None:
        raise InputError(f"{native.name} romanises no script: expected an encoder that align scripts --out saved")
    return native.fallback.scripts


def _write_router(folder: Path, named: Sequence[str]) -> None:
    """What sentence-transformers reads: a Router over the modules of both folders."""
    types: dict[str, str] = {}
    structure: dict[str, list[str]] = {}
    for name in (NATIVE, ROMANISED):
        modules = read_json(folder / name / "modules.json")
        paths = [f"{name}/{module['path']}".rstrip("/") for module in modules]
        types |= dict(zip(paths, [module["type"] for module in modules], strict=True))
        structure[name] = paths
    tasks = {"(None, None)": NATIVE} | {f"({task!r}, None)": ROMANISED for task in (ROMANISED, *named)}
    parameters = {"default_route": NATIVE, "allow_empty_key": True, "route_mappings": tasks}
    write_json(folder / "router_config.json", {"types": types, "structure": structure, "parameters": parameters})
    router = {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.base.modules.router.Router"}
    write_json(folder / "modules.json", [router])
    shared = "config_sentence_transformers.json"
    write_json(folder / shared, read_json(folder / NATIVE / shared))
