"""Loading encoders by name or folder: of Align, sentence-transformers or transformers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForTextEncoding,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from align.encoders.adapters.folder import BASE, read_bottlenecks
from align.encoders.device import chosen_device
from align.encoders.encoder import Encoder
from align.encoders.fallback import opened as opened_fallback
from align.encoders.lexical.settings import Lexical
from align.encoders.mixture.folder import put_mixture
from align.encoders.offsets.folder import open_head, open_offsets
from align.encoders.pooling import Cut, Pooling
from align.encoders.route import NATIVE, ROMANISED, Route, refuse_route
from align.encoders.weights import load_weights, quiet, without_pooler
from align.errors import InputError
from align.files.hub import hub_or_cache
from align.files.intact import check_hashes, inside
from align.files.whole import read_json

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer  # two seconds to import, for models of its own alone

NO_CARD = "# Sentence encoder saved by Align\n"
"""README.md of an encoder that came without one."""
MASKED_LM = "masked_lm"  # folder of the whole checkpoint, beside the sentence encoder
PLAIN_MODES = {"mean": "mean", "cls": "cls", "weighted": "weightedmean"}
WITHOUT_FILE = ("ByT5Tokenizer", "CanineTokenizer")
"""Tokenizers whose ids are bytes or code points: they need no vocabulary."""
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "sentencepiece.bpe.model", "spiece.model", "spm.model")


def load_encoder(
    name: str | Path,
    *,
    layer: int | None = None,
    kind: str | None = None,
    special_tokens: bool | None = None,
    average_layers: bool | None = None,
    prompt: str | None = None,
    max_tokens: int | None = None,
    device: str | torch.device | None = None,
    revision: str | None = None,
    bf16: bool = False,
    offsets: Path | str | None = None,
    head: Path | str | None = None,
    language_tags: bool = False,
) -> Encoder:
    """Load an encoder: ``seed``, a folder, or a name on the Hugging Face Hub.

    Args:
        name: ``seed`` (the small encoder in this package), a folder (saved by Align, by transformers or by
            sentence-transformers), or a Hub name such as ``xlm-roberta-base``.
        layer: k of hidden_states[k] to pool; None means what the folder says, or the last layer.
        kind: ``mean``, ``cls`` or ``weighted``; None means what the folder says, or ``mean``.
        special_tokens: whether <s> and </s> count; None means what the folder says, or yes.
        average_layers: pool the mean of hidden_states[0..layer]; None means what the folder says, or no.
        prompt: text put before every input; None means what the folder says.
        max_tokens: longer texts are cut; None means what the folder says, at most 512.
        device: None means a GPU if there is one; under torchrun, that of the process's number.
        revision: commit or branch of a Hub name.
        bf16: round the weights to bfloat16, to encode faster where the hardware has it; not to train.
        offsets: folder of :func:`align.offsets` of this encoder, which it takes off its vectors; not to train.
        head: folder of :func:`align.word_head` of this encoder, which maps its vectors of words; it says how they are
            pooled.
        language_tags: put the tag of its language before each text, as ``train.language_tags`` did in training.

    Raises:
        InputError: no such folder or name, the revision of a folder, no such device, a folder without weights or
            tokenizer, weights that are not all there or not of the encoder's size, a tokenizer with more ids than
            embeddings, a pooling that does not exist, the offsets of another encoder, a model of sentence-transformers
            that cuts its vectors.
    """
    if offsets is not None and head is not None:
        raise InputError("a head takes its own offsets off: expected offsets or a head, got both")
    opened = None if offsets is None else open_offsets(offsets)
    opened = opened if head is None else open_head(head)
    place, where = model_place(name, revision), chosen_device(device)
    check_hashes(place, but=("README.md",))
    asked: dict[str, Any] = {
        "layer": layer, "kind": kind, "special_tokens": special_tokens, "average_layers": average_layers,
    }  # fmt: skip
    given = {key: value for key, value in asked.items() if value is not None}
    if opened is not None and opened.maps is not None:
        given = dict(opened.manifest["pooling"]) | given
    settings = Path(place) / "align.json"
    if settings.is_file():
        with readable(place):
            encoder = _from_align(Path(place), given, prompt, max_tokens, where)
        if encoder.route and language_tags:
            refuse_route(encoder, "what puts language tags")
    elif modules_file(place, revision):
        encoder = _from_sentence_transformers(place, given, prompt, max_tokens, revision)
    else:
        model, tokenizer = from_transformers(place, revision)
        encoder = Encoder(model, tokenizer, Pooling(**given), prompt=prompt or "", max_tokens=max_tokens)
    encoder.name, encoder.card = str(name), _card(place, revision)
    if language_tags and not encoder.tags:
        raise InputError(f"{name} has no language tags: it was trained without train.language_tags")
    encoder.language_tags = language_tags
    encoder.to(where).eval()
    if opened is not None:
        for one in (encoder, encoder.route.encoder) if encoder.route else (encoder,):
            one.unit = one.unit or opened.maps is not None
        opened.check(encoder.identity())
        encoder.offsets = opened
    return encoder.in_bfloat16() if bf16 else encoder


def model_place(name: str | Path, revision: str | None = None) -> str:
    """A local folder or a Hub name.

    Raises:
        InputError: no such folder, or the revision of one.
    """
    path = Path(str(files("align") / "data" / "seed") if str(name) == "seed" else name)
    if revision is not None and path.exists():
        raise InputError(f"revision {revision!r} is of a model on the Hugging Face Hub, and {name} is none")
    if path.is_file():
        raise InputError(f"{path} is a file; expected a model folder")
    if path.is_dir():
        if not any((path / file).is_file() for file in ("align.json", "modules.json", "config.json")):
            raise InputError(f"{path} is not a model folder: it has no config.json, modules.json or align.json")
        return str(path)
    if isinstance(name, Path) or name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise InputError(f"no such model folder: {name}")
    return name


@contextmanager
def readable(place: str) -> Iterator[None]:
    """While the context lasts, what a damaged folder or a name that is not there raises becomes an InputError."""
    try:
        with nullcontext() if Path(place).is_dir() else hub_or_cache(place):
            yield
    except InputError:
        raise
    except Exception as error:  # damaged files make their readers raise whatever there is
        first = str(error).strip().split("\n")[0] or repr(error)
        if Path(place).is_dir():
            raise InputError(f"{place} cannot be loaded: {first}") from error
        raise InputError(
            f"{place!r} is no local folder and could not be had from the Hugging Face Hub ({first}); "
            f"with a network run `hf download {place}`, without one give a folder"
        ) from error


def modules_file(place: str, revision: str | None) -> Path | None:
    """``modules.json`` of a folder, or of a name on the Hub, that sentence-transformers loads."""
    return _file_of(place, "modules.json", revision)


def _file_of(place: str, name: str, revision: str | None) -> Path | None:
    """A file of a folder, or of a name on the Hub; None: it has none of that name."""
    if Path(place).is_dir():
        file = Path(place) / name
        return file if file.is_file() else None
    from transformers.utils import cached_file

    with readable(place):
        cached = cached_file(place, name, revision=revision, _raise_exceptions_for_missing_entries=False)
    return Path(cached) if cached is not None else None


def _card(place: str, revision: str | None) -> str:
    """README.md of a folder or of a name on the Hub; empty: it has none, or what Align writes for want of one."""
    file = _file_of(place, "README.md", revision)
    text = file.read_text(encoding="utf-8", errors="replace") if file else ""
    return "" if text == NO_CARD else text


def from_transformers(
    place: str, revision: str | None = None, *, auto: Any = None, dtype: torch.dtype = torch.float32, **options: Any
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Model and tokenizer; without ``auto``, the class to load, the model has its masked-LM head if there is one."""
    if Path(place).is_dir() and not _has_tokenizer(Path(place)):
        raise InputError(f"{place} has no tokenizer: expected one of {', '.join(TOKENIZER_FILES)}")
    with readable(place):
        if auto is None:
            config = AutoConfig.from_pretrained(place, revision=revision, trust_remote_code=False)
            headed = any("ForMaskedLM" in name for name in config.architectures or [])
            auto = (
                AutoModelForMaskedLM if headed else AutoModelForTextEncoding if "t5" in config.model_type else AutoModel
            )
        model = load_weights(auto, place, revision=revision, dtype=dtype, **options)
        tokenizer = AutoTokenizer.from_pretrained(place, revision=revision, trust_remote_code=False)
    model.config.output_hidden_states = False  # true in a folder that averages layers: the encoder asks where it needs
    return without_pooler(model), tokenizer


def _has_tokenizer(folder: Path) -> bool:
    if any((folder / file).is_file() for file in TOKENIZER_FILES):
        return True
    settings = folder / "tokenizer_config.json"
    return settings.is_file() and read_json(settings).get("tokenizer_class") in WITHOUT_FILE


def _from_align(
    folder: Path, given: Mapping[str, Any], prompt: str | None, max_tokens: int | None, where: torch.device
) -> Encoder:
    config = read_json(folder / "align.json")
    if "route" in config:
        made, tower = (_from_align(folder / one, given, prompt, max_tokens, where) for one in (NATIVE, ROMANISED))
        made.route = Route(tower.to(where).eval(), **config["route"])
        return made
    if "bottlenecks" in config:
        made = _from_align(folder / BASE, given, prompt, max_tokens, where)
        read_bottlenecks(folder, config["bottlenecks"], made.model)
        return made
    if "mixture" in config:
        return put_mixture(_from_align(folder / BASE, given, prompt, max_tokens, where), folder, config["mixture"])
    whole = folder / MASKED_LM
    model, tokenizer = from_transformers(str(whole if whole.is_dir() else folder))
    pooling = Pooling(**config["pooling"] | dict(given))
    tail: list[nn.Module] = []
    if (folder / "modules.json").is_file() and config["tail"]:
        modules = read_json(folder / "modules.json")[-config["tail"] - config["unit"] :][: config["tail"]]
        tail = [_module(one["type"], folder, one["path"]) for one in modules]
    if config.get("truncate_dim"):
        tail.append(Cut(config["truncate_dim"]))
    encoder = Encoder(
        model, tokenizer, pooling, tail=tail, unit=config["unit"],
        prompt=config["prompt"] if prompt is None else prompt, prompts=config.get("prompts"),
        max_tokens=max_tokens or config["max_tokens"],
    )  # fmt: skip
    encoder.similarity = config.get("similarity", encoder.similarity)
    encoder.fallback = opened_fallback(config["fallback"]) if "fallback" in config else None
    encoder.lexical = Lexical(**config["lexical"]) if "lexical" in config else None
    return encoder


def given_encoder(model: Encoder | Path | str, load: Mapping[str, Any]) -> Encoder:
    """An encoder in memory as it is, or that of a name.

    Raises:
        InputError: as :func:`load_encoder`; options beside the device for one in memory.
    """
    if isinstance(model, (str, Path)):
        return load_encoder(model, **load)
    if any(value is not None and name != "device" for name, value in load.items()):
        raise InputError("an encoder in memory is as it is: give the name of a model instead, with its options")
    return model


def _module(kind: str, folder: Path, path: str) -> nn.Module:
    """What ``modules.json`` names: a class of sentence-transformers; another would be code of the folder's choice."""
    from sentence_transformers.util import import_module_class

    made: nn.Module = import_module_class(kind, str(folder)).load(str(inside(folder, path)))
    return made


def _from_folder(place: str, revision: str | None = None) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer

    with readable(place), quiet():
        return SentenceTransformer(
            place, device="cpu", revision=revision,
            model_kwargs={"dtype": torch.float32, "ignore_mismatched_sizes": True},  # _read_again looks at sizes
        )  # fmt: skip


def _from_sentence_transformers(
    place: str, given: Mapping[str, Any], prompt: str | None, max_tokens: int | None, revision: str | None
) -> Encoder:
    from sentence_transformers.sentence_transformer.modules import Normalize, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling as PlainPooling

    plain = _from_folder(place, revision)
    modules = list(plain)
    if len(modules) < 2 or not isinstance(modules[0], Transformer) or not isinstance(modules[1], PlainPooling):
        names = ", ".join(type(module).__name__ for module in modules)
        raise InputError(f"{place} has the modules {names}; expected a Transformer, then a Pooling")
    kinds = {mode: kind for kind, mode in PLAIN_MODES.items()}
    if "kind" not in given and modules[1].pooling_mode not in kinds:
        raise InputError(f"{place} pools by {modules[1].pooling_mode!r}; supported are {', '.join(kinds)}")
    default = plain.prompts.get(plain.default_prompt_name or "", "") or ""
    own: dict[str, Any] = {
        "kind": kinds.get(modules[1].pooling_mode, "mean"), "include_prompt": modules[1].include_prompt,
    }  # fmt: skip
    if plain.truncate_dim is not None:
        modules.append(Cut(plain.truncate_dim))
    unit = isinstance(modules[-1], Normalize)
    model = _read_again(modules[0].model, place, revision)
    encoder = Encoder(
        without_pooler(model), modules[0].tokenizer,
        Pooling(**own | dict(given)),
        tail=modules[2:-1] if unit else modules[2:], unit=unit, prompt=default if prompt is None else prompt,
        prompts={name: text or "" for name, text in plain.prompts.items()},
        max_tokens=max_tokens or plain.max_seq_length,
    )  # fmt: skip
    encoder.similarity = plain.similarity_fn_name
    return encoder


def _read_again(model: PreTrainedModel, place: str, revision: str | None) -> PreTrainedModel:
    """The transformer of a sentence-transformers model, whose own reading leaves weights random where it finds none."""
    file = modules_file(place, revision)
    subfolder = read_json(file)[0]["path"] if file else ""
    with readable(place):
        return load_weights(
            type(model), place, subfolder=subfolder, revision=revision, config=model.config, dtype=torch.float32
        )  # fmt: skip
