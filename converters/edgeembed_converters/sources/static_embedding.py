"""A static model of sentence-transformers or model2vec: a text is the mean of its tokens' rows."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn

from edgeembed_converters.model_files.files import read_json
from edgeembed_converters.sources.base import Backbone, SourceOptions

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

# Such models have no limit of their own.
_NO_LIMIT = 1 << 15
_ENDLESS = f"texts are read up to {_NO_LIMIT} tokens; the original has no limit"


class MeanOfRows(nn.Module):
    """The mean of the rows of a text's tokens."""

    def __init__(self, table: Tensor) -> None:
        """`table` is (ids, d) float32."""
        super().__init__()
        self.table = nn.Embedding.from_pretrained(table)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(n, t) int64 ids and mask to (n, d) float32."""
        mask = attention_mask.unsqueeze(-1).to(torch.float32)
        return (self.table(input_ids) * mask).sum(1) / mask.sum(1).clamp(min=1.0)

    def rows(self) -> NDArray[np.float32]:
        """The table, (ids, d)."""
        return self.table.weight.detach().numpy()


def model2vec_model(directory: Path) -> "SentenceTransformer | None":
    """The model of a model2vec directory that has no modules.json; None for others."""
    settings = read_json(directory / "config.json")
    if settings.get("model_type") != "model2vec" or (directory / "modules.json").is_file():
        return None
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules as library

    parts: list[nn.Module] = [library.StaticEmbedding.load(str(directory), local_files_only=True)]
    if settings.get("normalize"):
        parts.append(library.Normalize())
    return SentenceTransformer(modules=parts, device="cpu", local_files_only=True)


def load_table(embedding: Any, options: SourceOptions) -> Backbone:
    """Take the table and the tokenizer of a module `StaticEmbedding`."""
    tokenizer = Tokenizer.from_str(embedding.tokenizer.to_str())
    cut: Any = tokenizer.truncation
    limit = _NO_LIMIT if cut is None else int(cut["max_length"])
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tree = json.loads(tokenizer.to_str())
    tree["post_processor"] = None
    return Backbone(
        module=MeanOfRows(embedding.embedding.weight.detach().float()).eval(),
        model_type="static",
        tokenizer_json=json.dumps(tree, ensure_ascii=False).encode(),
        max_tokens=min(options.max_tokens or limit, limit),
        notes=() if cut or options.max_tokens else (_ENDLESS,),
    )
