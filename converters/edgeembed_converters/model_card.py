"""README.md of a bundle: where it comes from, what it is worth, how to use it."""

from collections.abc import Mapping

from edgeembed_runtime.bundle import Manifest


def model_card(manifest: Manifest, sizes: Mapping[str, int], notes: tuple[str, ...]) -> str:
    """The model card as Markdown; `sizes` is bytes by variant name."""
    text, source = manifest.text, manifest.source
    rows = [
        f"| {v.name} | {sizes[v.name] / 1e6:.1f} MB | {v.fidelity.mean_cosine:.6f} "
        f"| {v.fidelity.min_cosine:.6f} | {v.fidelity.retrieval_overlap:.3f} | {v.speedup:g}x "
        f"| {v.recipe} |"
        for v in text.variants
    ]
    prompts = [f"- `{name}`: `{prompt!r}`" for name, prompt in text.prompts.items()]
    license_name = source.license or "not stated by the source: ask its authors"
    head = ", ".join(text.head) or "none"
    pooling = text.pooling or "inside the model"
    return "\n".join(
        [
            f"# {manifest.name}",
            "",
            "An [edgeembed](https://pypi.org/project/edgeembed/) bundle.",
            "",
            f"- source: `{source.id}`" + (f" at `{source.revision}`" if source.revision else ""),
            f"- SHA-256 of the source weights: `{source.weights_sha256}`",
            f"- licence: {license_name}",
            f"- vectors: {manifest.dim} components, compared by {manifest.similarity}, "
            + ("unit length" if manifest.normalized else "length not fixed"),
            f"- input: text, up to {text.max_tokens} tokens; the rest is cut off",
            f"- pooling: {pooling}; head: {head}",
            *(["", "Prompts:", "", *prompts] if prompts else []),
            "",
            "## Variants",
            "",
            f"Compared with the original PyTorch model on {text.variants[0].fidelity.texts} texts, "
            f"on {text.variants[0].measured_on}. Overlap: shared 10 nearest neighbours.",
            "",
            "| variant | size | mean cosine | min cosine | overlap | speed | made by |",
            "|---|---|---|---|---|---|---|",
            *rows,
            *(["", "Notes:", "", *(f"- {note}" for note in notes)] if notes else []),
            "",
            "## Use",
            "",
            "```python",
            "from edgeembed import Encoder",
            "",
            'encoder = Encoder.load("path/of/this/directory")',
            'vector = encoder.encode("some text")',
            "```",
            "",
        ]
    )
