"""``align.push``: a saved model to the Hugging Face Hub, in one commit."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from align.errors import InputError
from align.evaluation.results import Result, read_result
from align.files.whole import read_json
from align.publishing.card import complete_card

log = logging.getLogger(__name__)

CARD, EMISSIONS = "README.md", "emissions.csv"


@dataclass(frozen=True)
class Pushed:
    """What was sent, or would be."""

    repo: str
    files: dict[str, int]
    """Bytes of each."""
    card: str
    url: str = ""
    """Of the commit; "": nothing was sent."""


def push(
    model: Path | str,
    repo: str,
    *,
    results: Sequence[Path | str] = (),
    license: str | None = None,
    base_model: str | None = None,
    datasets: Sequence[str] | None = None,
    private: bool = False,
    dry_run: bool = False,
    revision: str | None = None,
    commit_message: str = "Upload a model of Align",
    api: Any = None,
) -> Pushed:
    """Upload a saved model, its card complete first: nothing is sent before all of it was read and checked.

    The folder itself is not changed. What ``align certify --card`` wrote into the card stays in it; grams of CO2 are
    taken from ``emissions.csv``, which codecarbon writes, if it lies in the folder. Hidden files are not sent.

    Args:
        model: a folder that Align saved.
        repo: ``NAME`` or ``USER/NAME``; made if it is not there.
        results: files, or folders of files, that ``align eval --out`` wrote, of this encoder.
        license: as the Hub names licences; ``None``: what the card says.
        base_model: what it was trained from; ``None``: what the card says.
        datasets: ids on the Hub; ``None``: what the card says.
        private: a repository that is made is seen by its owner alone.
        dry_run: send nothing.
        revision: branch; made if it is not there.
        commit_message: first line of the commit.
        api: of ``huggingface_hub``; ``None``: its ``HfApi()``, with the login of ``hf auth login``, or ``HF_TOKEN``.

    Raises:
        InputError: no folder of Align; a card without licence or base model; a result of another encoder; or the Hub
            refuses.
    """
    folder = Path(model)
    if not (folder / "align.json").is_file():
        raise InputError(f"{folder} is no folder that Align saved an encoder in: it has no align.json")
    scored = _results(results, read_json(folder / "align.json"))
    emissions = folder / EMISSIONS if (folder / EMISSIONS).is_file() else None
    given = {"license": license, "base_model": base_model, "datasets": list(datasets or ())}
    text = (folder / CARD).read_text(encoding="utf-8") if (folder / CARD).is_file() else ""
    card = complete_card(text, repo.rpartition("/")[2], scored, given, emissions=emissions)
    paths = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if _sent(path, folder)}
    files = {name: path.stat().st_size for name, path in paths.items()} | {CARD: len(card.encode())}
    if dry_run:
        return Pushed(repo, files, card)
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

    api = api or HfApi()
    content: dict[str, Any] = {**paths, CARD: card.encode()}
    adding = [CommitOperationAdd(name, content[name]) for name in files]
    try:
        named = api.create_repo(repo, private=private, exist_ok=True).repo_id
        if revision:
            api.create_branch(named, branch=revision, exist_ok=True)
        done = api.create_commit(named, adding, commit_message=commit_message, revision=revision)
    except (HfHubHTTPError, HFValidationError, LocalTokenNotFoundError, OSError) as error:
        first = str(error).strip().split("\n")[0]
        raise InputError(
            f"{repo} cannot be written on the Hugging Face Hub ({first}); log in with `hf auth login`"
        ) from error
    return Pushed(named, files, card, str(done.commit_url))


def _results(given: Sequence[Path | str], saved: dict[str, Any]) -> list[Result]:
    files = [
        file for place in map(Path, given) for file in (sorted(place.glob("*.json")) if place.is_dir() else [place])
    ]
    ours = saved.get("identity", {}).get("fingerprint")
    found = []
    for file in files:
        result = read_result(file)
        if result["encoder"]["fingerprint"] != ours:
            raise InputError(
                f"{file} has the scores of another encoder ({result['model']}): expected those of this model"
            )
        found.append(result)
    return found


def _sent(path: Path, folder: Path) -> bool:
    return path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
