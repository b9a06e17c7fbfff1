"""A real bundle, small enough to build in every run: no torch, no network, nothing borrowed.

The tokenizer is BERT's kind over letters and a few words. The graph looks up a seeded random table,
averages the rows under the mask and scales to unit length. `reference_vectors` does the same in
numpy, from `tokenizers`' own truncation: it shares no code with the runtime.
"""

import hashlib
import json
import shutil
import string
from dataclasses import replace
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import WordPiece
from tokenizers.processors import TemplateProcessing

from edgeembed_runtime.bundle import (
    Bundle,
    Fidelity,
    Golden,
    Manifest,
    Source,
    TextTower,
    Variant,
    write_bundle,
)
from edgeembed_runtime.storage import staged_directory

DIM = 16
MAX_TOKENS = 32
PROMPTS = {"query": "query: ", "document": "passage: ", "shout": "hey "}
GOLDEN_TEXTS = (
    "the cat sat on the mat",
    "a train leaves the station at noon",
    "",
    "Straße, naïve café, 東京",
    "running and playing in the rain " * 12,
)
_SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_WORDS = (
    *("the", "cat", "sat", "on", "mat", "dog", "ran", "rain", "sun", "train", "station", "music"),
    *("play", "run", "cook", "soup", "tomato", "guitar", "bank", "river", "query", "passage"),
    *("##ing", "##ning", "##s", "##ed", "##er", "##tion"),
)


def tokenizer():
    """A WordPiece tokenizer with every ASCII character alone and inside a word."""
    characters = [c for c in string.printable if not c.isspace() and not c.isupper()]
    pieces = dict.fromkeys((*_SPECIALS, *characters, *(f"##{c}" for c in characters), *_WORDS))
    made = Tokenizer(WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, made.token_to_id(name)) for name in ("[CLS]", "[SEP]")],
    )
    return made


def table(dim=DIM):
    """The embedding of every token: (vocabulary, dim) float32, the same in every run."""
    return np.random.default_rng(20240229).standard_normal(
        (tokenizer().get_vocab_size(), dim), np.float32
    )


def quantized(values):
    """A float32 table as int8 and its scale."""
    scale = np.float32(np.abs(values).max() / 127)
    return np.round(values / scale).astype(np.int8), scale


def graph(values, scale=None, *, inputs=("input_ids", "attention_mask"), output_dim=None):
    """An ONNX model over a float32 table, or over an int8 one with its scale."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = [numpy_helper.from_array(values, "table"), numpy_helper.from_array(_ONE, "one")]
    nodes = []
    rows = "table"
    if scale is not None:
        weights.append(numpy_helper.from_array(np.array(scale, np.float32), "scale"))
        nodes.append(helper.make_node("DequantizeLinear", ["table", "scale"], ["floats"]))
        rows = "floats"
    ids, mask = inputs
    nodes += [
        helper.make_node("Gather", [rows, ids], ["token_embeddings"]),
        helper.make_node("Cast", [mask], ["weights"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["weights", "two"], ["column"]),
        helper.make_node("Mul", ["token_embeddings", "column"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "one"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["column", "one"], ["count"], keepdims=0),
        helper.make_node("Div", ["sum", "count"], ["mean"]),
        helper.make_node("LpNormalization", ["mean"], ["embedding"], axis=-1, p=2),
    ]
    weights.append(numpy_helper.from_array(np.array([2], np.int64), "two"))
    value = helper.make_tensor_value_info
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "tiny",
            [value(name, TensorProto.INT64, ["batch", "tokens"]) for name in inputs],
            [
                value("embedding", TensorProto.FLOAT, ["batch", output_dim or values.shape[1]]),
                value("token_embeddings", TensorProto.FLOAT, ["batch", "tokens", values.shape[1]]),
            ],
            weights,
        ),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=10,
    )
    onnx.checker.check_model(model)
    return model


_ONE = np.array([1], np.int64)


def reference_ids(text, max_tokens=MAX_TOKENS, made=None):
    """Token ids as `tokenizers` itself truncates them."""
    made = made or tokenizer()
    made.enable_truncation(max_tokens)
    return made.encode(text).ids


def reference_vectors(texts, values, max_tokens=MAX_TOKENS):
    """What the bundle promises for these texts, in numpy: (n, dim) float32."""
    made = tokenizer()
    means = np.stack(
        [values[reference_ids(text, max_tokens, made)].mean(0, dtype=np.float64) for text in texts]
    )
    return (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32)


def fidelity(reference, found):
    """A Fidelity that is true for these vectors, as far as self-tests look at it."""
    cosines = (reference.astype(np.float64) * found).sum(1)
    return Fidelity(
        texts=len(reference),
        mean_cosine=float(cosines.mean()),
        min_cosine=float(cosines.min()),
        max_abs_difference=float(np.abs(reference - found).max()),
        pairs_spearman=0.999,
        retrieval_overlap=1.0,
    )


def write_tiny_bundle(target, *, dim=DIM, space="tiny", tower=None, replaced=None, **changes):
    """Write the bundle into `target` and return that.

    Args:
        target: a directory that does not exist yet.
        dim: components of a vector.
        space: the fingerprint.
        tower: fields of the text tower to change.
        replaced: files to write instead of the right ones, by name.
        **changes: fields of the manifest to change.
    """
    floats = table(dim)
    small, scale = quantized(floats)
    golden = Golden(texts=GOLDEN_TEXTS, vectors=reference_vectors(GOLDEN_TEXTS, floats))
    rounded = reference_vectors(GOLDEN_TEXTS, small.astype(np.float32) * scale)
    files = {
        "fp32.onnx": graph(floats).SerializeToString(deterministic=True),
        "int8.onnx": graph(small, scale).SerializeToString(deterministic=True),
        "tokenizer.json": tokenizer().to_str().encode(),
        "golden.json": golden.to_json(),
        "README.md": b"# tiny\n\nMade for tests.\n",
        **(replaced or {}),
    }
    manifest = Manifest(
        name="tiny",
        space=space,
        dim=dim,
        normalized=True,
        matryoshka_dims=(8,),
        source=Source(
            id="tests/tiny",
            weights_sha256=hashlib.sha256(floats.tobytes()).hexdigest(),
            license="apache-2.0",
        ),
        text=TextTower(
            tokenizer="tokenizer.json",
            max_tokens=MAX_TOKENS,
            prompts=PROMPTS,
            pooling="mean",
            outputs=("embedding", "token_embeddings"),
            variants=(
                Variant(
                    name="fp32",
                    file="fp32.onnx",
                    fidelity=fidelity(golden.vectors, golden.vectors),
                    measured_on="a test",
                ),
                Variant(
                    name="int8",
                    file="int8.onnx",
                    requires=("avx2", "neon"),  # what machines that run tests have
                    recipe="rounded table",
                    fidelity=fidelity(golden.vectors, rounded),
                    speedup=2.0,
                    measured_on="a test",
                ),
            ),
        ),
        made_by="tests",
        files={},
    )
    manifest = replace(manifest, text=replace(manifest.text_tower(), **(tower or {})), **changes)
    with staged_directory(Path(target), replace=False) as stage:
        write_bundle(stage, manifest, files)
    return Path(target)


def edit_manifest(bundle, edit):
    """Apply `edit` to the manifest's JSON tree, in place."""
    path = Path(bundle) / "edgeembed.json"
    tree = json.loads(path.read_bytes())
    edit(tree)
    path.write_text(json.dumps(tree), encoding="utf-8")


def put_file(bundle, name, data):
    """Replace a file and what the manifest says of it: damage that no checksum shows."""
    (Path(bundle) / name).write_bytes(data)

    def restate(tree):
        tree["files"][name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    edit_manifest(bundle, restate)


def copy_bundle(source, target):
    """A bundle of one's own to damage."""
    shutil.copytree(source, target)
    return Bundle.open(target).path
