"""README.md of a bundle: where it comes from, how good it is, how to use it."""

from collections.abc import Mapping, Sequence

from edgeembed_converters.matryoshka.truncated_dims import TruncationReport
from edgeembed_runtime.bundle import ImageTower, Manifest, TextTower, Tower

_KINDS = {"text": "texts", "image": "images"}


def model_card(
    manifest: Manifest,
    sizes: Mapping[str, int],
    witness: str,
    notes: Sequence[str],
    truncations: Sequence[TruncationReport],
) -> str:
    """The model card as Markdown; `sizes` is in bytes by the variants' files.

    `witness` names what made the vectors of texts that the variants are compared with, or is empty.
    """
    source = manifest.source
    license_name = source.license or "not stated by the source: ask its authors"
    lines = [
        f"# {manifest.name}",
        "",
        "An [edgeembed](https://github.com/edgeembed/edgeembed) bundle.",
        "",
        f"- source: `{source.id}`" + (f" at `{source.revision}`" if source.revision else ""),
        f"- SHA-256 of the source weights: `{source.weights_sha256}`",
        f"- license: {license_name}",
        f"- vectors: {manifest.dim} components, compared by {manifest.similarity}, "
        + ("unit length" if manifest.normalized else "length not fixed"),
    ]
    if manifest.text is not None:
        lines += _text_facts(manifest.text)
    if manifest.image is not None:
        lines += _image_facts(manifest.image)
    if manifest.logit_scale is not None:
        bias = "" if manifest.logit_bias is None else f", logit bias {manifest.logit_bias:.4g}"
        lines += [f"- logit scale {manifest.logit_scale:.4g}{bias}"]
    if manifest.text is not None and manifest.text.prompts:
        lines += ["", "Prompts:", ""]
        lines += [f"- `{name}`: `{prompt!r}`" for name, prompt in manifest.text.prompts.items()]
    lines += ["", "## Variants", ""]
    if witness:
        lines += [f"Texts compared with the vectors of: {witness}.", ""]
    for modality, tower in manifest.towers.items():
        lines += _variants(tower, _KINDS[modality], sizes)
    if truncations:
        lines += _truncations(manifest, truncations)
    if notes:
        lines += ["Notes:", "", *(f"- {note}" for note in notes), ""]
    return "\n".join([*lines, "## Use", "", *_use(manifest), ""])


def _text_facts(text: TextTower) -> list[str]:
    head = ", ".join(text.head) or "none"
    return [
        f"- input: text, up to {text.max_tokens} tokens; the rest is cut off",
        f"- pooling: {text.pooling or 'inside the model'}; head: {head}",
    ]


def _image_facts(image: ImageTower) -> list[str]:
    settings = image.preprocess
    height, width = settings.size
    resizing = {"squash": "squashed", "none": "not resized"}.get(
        settings.resize,
        f"{settings.resize} side to {settings.resize_to or 'this'}, then center-cropped",
    )
    return [
        f"- input: images, {height}x{width} pixels ({resizing}, {settings.interpolation}); rotated "
        "according to EXIF, RGB, without alpha",
    ]


def _variants(tower: Tower, kind: str, sizes: Mapping[str, int]) -> list[str]:
    first = tower.variants[0]
    rows = [
        f"| {v.name} | {sizes[v.file] / 1e6:.1f} MB | {v.fidelity.mean_cosine:.6f} "
        f"| {v.fidelity.min_cosine:.6f} | {v.fidelity.retrieval_overlap:.3f} | {v.speedup:g}x "
        f"| {v.recipe} |"
        for v in tower.variants
    ]
    return [
        f"Compared with the original PyTorch model on {first.fidelity.texts} {kind}, "
        f"on {first.measured_on}. Overlap: shared 10 nearest neighbors.",
        "",
        "| variant | size | mean cosine | min cosine | overlap | speed | made by |",
        "|---|---|---|---|---|---|---|",
        *rows,
        "",
    ]


def _use(manifest: Manifest) -> list[str]:
    lines = [
        "```python",
        "from edgeembed import Encoder",
        "",
        'encoder = Encoder.load("path/of/this/directory")',
    ]
    if manifest.text is not None:
        lines += ['vector = encoder.encode("some text")']
    if manifest.image is not None:
        lines += ['vector = encoder.encode_image("photo.jpg")']
    if manifest.text is not None and manifest.image is not None:
        lines += ['hits = encoder.classify("photo.jpg", ["cat", "dog"])']
    return [*lines, "```"]


def _truncations(manifest: Manifest, truncations: Sequence[TruncationReport]) -> list[str]:
    rows = [
        f"| {t.dim} | {t.pairs_spearman:.3f} | {t.retrieval_overlap:.3f} "
        f"| {'yes' if t.dim in manifest.matryoshka_dims else 'no'} |"
        for t in truncations
    ]
    return [
        "## Shorter vectors",
        "",
        "What truncated vectors (`truncate_dim`) keep of the full ones, on the same texts: the "
        "ranking of all pairs, and shared 10 nearest neighbors.",
        "",
        "| components | pairs | overlap | worth using |",
        "|---|---|---|---|",
        *rows,
        "",
    ]
