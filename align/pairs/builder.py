"""A kind of pairs: what is asked, and what makes a table of it. Each is a verb below ``align pairs``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any

from align.errors import InputError
from align.pairs.reading.sources import HubRows, RowFile, labelled_path, languages_of
from align.text.romanize.registry import romanizers_help

Licence = Annotated[str, "Licence of the text, for the manifest."]
Backend = Annotated[str, romanizers_help]
Processes = Annotated[int, "Processes that romanise."]
Parallel = Annotated[bool, "The files are row-aligned translations; this is checked."]


@dataclass(frozen=True)
class Builder:
    """One kind of pairs. A file that has it as ``BUILDER`` is all that a new one takes."""

    name: str
    """The verb is ``align pairs NAME``."""
    options: type
    """A frozen dataclass of what the verb takes, whose first line is the help of the verb. Each field is an option of
    its name, ``Annotated[type, help]``; the first is an argument. A field that is a dataclass stands for those of its
    own that are so annotated. A text that follows the help is another name for the option (``--self``), or how its
    value is shown (``[CODE=]PATH``). A function may stand for the help, and is asked when that is
    wanted; of a field ``dict[str, list[str]]`` it gives the names and helps of as many options."""
    build: Callable[[Any, Path], Mapping[str, Any]]
    """``build(options, out)`` writes a table to the folder ``out`` and returns what the verb prints."""

    @property
    def summary(self) -> str:
        """What the verb does, in a sentence."""
        return (self.options.__doc__ or "").partition("\n")[0]


@dataclass(frozen=True)
class RowOptions:
    """Rows of two texts, of files and of datasets."""

    texts: Annotated[
        list[str] | None,
        "Files, or folders of files named by language, such as eng_Latn.train.tsv; or eng_Latn=FILE. Of two languages: "
        "eng_Latn-hin_Deva.",
        "[CODE=]PATH",
    ] = None
    hub: Annotated[
        list[str] | None, "Dataset on the Hub, streamed: CODE=NAME or CODE=NAME:CONFIGURATION; again for more."
    ] = None
    split: Annotated[str, "Split of the Hub datasets."] = "train"
    licence: Licence = "unknown"

    def sources(self) -> list[str | RowFile | HubRows]:
        """What the arguments name, in their order."""
        found: list[str | RowFile | HubRows] = []
        for text in self.texts or []:
            label, path = labelled_path(text)
            found.append(RowFile(Path(path), languages_of(label), self.licence) if label else text)
        for text in self.hub or []:
            label, equals, name = text.partition("=")
            if not equals:
                raise InputError(f"expected CODE=NAME, such as hin_Deva={text}, got {text!r}")
            name, _, config = name.partition(":")
            found.append(HubRows(name, config or None, self.split, languages_of(label), licence=self.licence))
        return found

    def named(self) -> dict[str, Any]:
        """What is asked beside the sources, by name."""
        names = {field.name for field in fields(self)} - {"texts", "hub", "split"}
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class ModelOptions:
    """An encoder by name, and how it is loaded, of kinds that need one."""

    model: Annotated[str, "seed, a folder, or a name on the Hugging Face Hub."] = "seed"
    layer: Annotated[int | None, "k of hidden_states[k]; by default what the model was saved with."] = None
    pooling: Annotated[str | None, "mean, cls or weighted (by position)."] = None
    special_tokens: Annotated[bool | None, "Whether <s>, </s> count."] = None
    average_layers: Annotated[bool | None, "Pool the mean of hidden_states[0..layer]."] = None
    prompt: Annotated[str | None, 'Text before every input, such as "query: " for E5.'] = None
    max_tokens: Annotated[int | None, "Longer texts are cut; by default at what the model was saved with."] = None
    revision: Annotated[str | None, "Commit, tag or branch of a model on the Hub."] = None
    device: Annotated[str | None, "cpu, cuda, cuda:1, ...; by default a GPU if there is one."] = None
    bf16: Annotated[bool, "Encode in bfloat16: faster where the hardware has it."] = False

    def options(self) -> dict[str, Any]:
        """Options of :func:`align.load_encoder`."""
        given = asdict(self)
        return {"kind" if name == "pooling" else name: value for name, value in given.items() if name != "model"}


def shown(manifest: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """The counts that a user looks at first; the manifest has the rest."""
    return {key: manifest[key] for key in ("rows", *keys)}
