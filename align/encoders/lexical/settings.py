"""What decides an encoder's lexical vectors beside its weights: the activation, the terms, and what is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import regex
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import elu, relu

from align.encoders.blocks import masked_lm_head
from align.encoders.lexical.pieces import CONTINUES, piece_kinds
from align.errors import InputError
from align.text.languages import check_script

if TYPE_CHECKING:
    from align.encoders.encoder import Encoder

ACTIVATIONS = ("relu", "elu")
BYTE = regex.compile("<0x[0-9A-F]{2}>")
"""A piece that stands for a byte of what no other piece is for."""


@dataclass(frozen=True)
class Lexical:
    """Which terms there are, and how logits become weights; kept in the encoder's folder.

    Raises:
        InputError: an unknown activation or script, or ``top`` below 0.
    """

    activation: str = "relu"
    """relu: log(1 + max(0, logit)) (SPLADE); elu: elu(logit) + 1 (LexVLA). Neither is below 0."""
    pivot: str = ""
    """ISO 15924 code: terms are the pieces that have no letter of another script; "": the pieces of all scripts."""
    continuations: bool = True
    """Whether pieces inside a word are terms."""
    top: int = 0
    """Terms of a text that are kept, at most; 0: those of at least 1 / sqrt(K), K being the number of terms."""

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise InputError(f"the activation must be {' or '.join(ACTIVATIONS)}, got {self.activation!r}")
        if self.top < 0:
            raise InputError(f"top must be at least 0, got {self.top}")
        if self.pivot:
            check_script(self.pivot)

    def terms(self, encoder: Encoder) -> NDArray[np.int64]:
        """(K,) ids of the pieces that are terms, ascending: no special one, no byte, none without a letter or digit.

        Raises:
            InputError: there is none.
        """
        size = len(masked_lm_head(encoder.model)[1])
        other = (
            regex.compile(rf"[\p{{L}}\p{{M}}\p{{N}}--[\p{{scx={self.pivot}}}0-9]]", regex.V1) if self.pivot else None
        )
        special = {*encoder.added_ids, *encoder.tokenizer.all_special_ids}
        kinds = piece_kinds(encoder)
        found = [
            number
            for piece, number in encoder.tokenizer.get_vocab().items()
            if number < size
            and number not in special
            and regex.search(r"[\p{L}\p{N}]", piece)
            and not BYTE.fullmatch(piece)
            and (self.continuations or kinds[number] != CONTINUES)
            and not (other and other.search(piece))
        ]
        if not found:
            raise InputError(f"the tokenizer has no piece of {self.pivot or 'letters'}: there are no terms")
        return np.array(sorted(found), dtype=np.int64)

    def activated(self, logits: Tensor) -> Tensor:
        """Weights, at least 0, of logits."""
        return torch.log1p(relu(logits)) if self.activation == "relu" else elu(logits) + 1
