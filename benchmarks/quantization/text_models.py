"""What the quantization search finds for a model, beside onnxruntime's own quantize_dynamic.

Every variant is compared with fp32 on 2,000 texts that nothing was calibrated or chosen on: in
closeness, and in speed (texts of both lengths, in turns).
"""

import argparse
import gzip
import statistics
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.common.model_and_texts import bundle, model_directory, passages, short_texts
from benchmarks.common.results_file import write_results
from edgeembed import Encoder, convert, quantize
from edgeembed_converters.validation.parity import fidelity
from edgeembed_runtime.bundle import Bundle

VARIANTS = ("fp32", "int8", "int8-faithful", "int8-portable")
PEERS = {
    "quantize_dynamic, its defaults": {},
    "quantize_dynamic, per channel": {"per_channel": True},
}
ROUNDS = 7


def texts_of(file: Path | None) -> list[str]:
    """2,000 texts: half of them short; those of a file as they are."""
    if file is None:
        return short_texts(1000) + passages(1000)
    with (gzip.open if file.suffix == ".gz" else open)(file, "rt", encoding="utf-8") as lines:
        return [line.strip() for _, line in zip(range(2000), lines, strict=False)]


def peer_model(fp32: Path, target: Path, options: dict) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(fp32, target, weight_type=QuantType.QInt8, **options)


def peer_encoders(path: Path, folder: Path) -> dict[str, Encoder]:
    """Onnxruntime's own models in the same engine: each as a bundle's fp32 file."""
    import dataclasses

    from edgeembed_runtime.bundle import write_bundle

    source = Bundle.open(path)
    found = {}
    for number, (name, options) in enumerate(PEERS.items()):
        model = folder / f"{number}.onnx"
        peer_model(path / "fp32.onnx", model, options)
        stage = folder / str(number)
        stage.mkdir()
        text = dataclasses.replace(
            source.manifest.text_tower(), variants=source.manifest.text_tower().variants[:1]
        )
        files = {n: path / n for n in source.manifest.files if not n.endswith(".onnx")}
        write_bundle(
            stage, dataclasses.replace(source.manifest, text=text), {**files, "fp32.onnx": model}
        )
        found[name] = Encoder.load(stage, variant="fp32")
    return found


def speeds(encoders: dict[str, Encoder], texts: list[str]) -> dict[str, float]:
    """How many times as fast as fp32 each is: the median over rounds, in turns."""
    ratios: dict[str, list[float]] = {name: [] for name in encoders}
    for number in range(ROUNDS + 1):
        took = {}
        for name, encoder in encoders.items():
            began = time.perf_counter()
            encoder.encode(texts)
            took[name] = time.perf_counter() - began
        if number:  # the first warms up
            for name, seconds in took.items():
                ratios[name].append(took["fp32"] / seconds)
    return {name: statistics.median(values) for name, values in ratios.items()}


def measure(path: Path, texts: list[str]) -> dict[str, dict]:
    """Figures of every variant of a bundle, and of onnxruntime's own."""
    names = [v.name for v in Bundle.open(path).manifest.text_tower().variants if v.name in VARIANTS]
    with tempfile.TemporaryDirectory() as folder:
        encoders = {name: Encoder.load(path, variant=name) for name in names}
        encoders |= peer_encoders(path, Path(folder))
        speed = speeds(encoders, texts[:: max(1, len(texts) // 100)])
        reference = encoders["fp32"].encode(texts, prompt="")
        rows = {}
        for name, encoder in encoders.items():
            found = fidelity(reference, encoder.encode(texts, prompt=""))
            variant = encoder.manifest.text_tower().variant(encoder.variant)
            assert variant is not None
            size = encoder.manifest.files[variant.file].bytes
            rows[name] = {
                "recipe": variant.recipe if name in names else name,
                "bytes": size,
                "speedup": round(speed[name], 2),
                **{key: round(value, 6) for key, value in vars(found).items()},
            }
            encoder.close()
    return rows


def show(title: str, rows: dict[str, dict]) -> None:
    table = Table("variant", "recipe", title=f"{title}: compared with fp32")
    for column in ("MB", "speed", "mean cosine", "min", "pairs", "overlap@10"):
        table.add_column(column, justify="right")
    for name, row in rows.items():
        table.add_row(
            name,
            row["recipe"],
            f"{row['bytes'] / 1e6:.1f}",
            f"{row['speedup']:.2f}x",
            f"{row['mean_cosine']:.5f}",
            f"{row['min_cosine']:.5f}",
            f"{row['pairs_spearman']:.4f}",
            f"{row['retrieval_overlap']:.3f}",
        )
    Console(width=150).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="a model directory; by default MiniLM")
    parser.add_argument("--texts", type=Path, help="a file of texts, one a line; may be .gz")
    parser.add_argument("--name", help="of the model, in the results")
    parser.add_argument("--keep", type=Path, help="where to write the bundle, or find it")
    options = parser.parse_args()
    model = options.model or model_directory()
    name = options.name or model.name
    texts = texts_of(options.texts)
    with tempfile.TemporaryDirectory() as folder:
        target = options.keep or Path(folder) / "bundle"
        began = time.perf_counter()
        if not target.exists():
            if options.model is None:
                quantize(bundle(), target, quantize=VARIANTS[1:])
            else:
                convert(model, target, quantize=VARIANTS[1:])
        seconds = round(time.perf_counter() - began, 1)
        rows = measure(target, texts)
    show(name, rows)
    result = {"model": name, "texts": len(texts), "search_s": seconds, "variants": rows}
    print("written:", write_results(f"quantization-{name}", result).name)


if __name__ == "__main__":
    main()
