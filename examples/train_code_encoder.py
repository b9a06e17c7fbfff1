"""Train an encoder of code on what installed packages say of their own functions.

Run: python examples/train_code_encoder.py OUTPUT.bundle MODEL_DIRECTORY [--keep-out FILE...]

Pairs are the first sentence of a docstring with the function that lacks it, and the words of a
name with the function that lacks the name, out of installed packages whose licenses are permissive;
OUTPUT.bundle.sources.tsv lists them. Functions of the packages in HELD_OUT are what the training is
measured on. Code to judge the result by later (--keep-out: .jsonl files with a field "code", .py
files, folders) is kept out by hash: a function is left out if half of its runs of eight words are
in it. Needs the extra 'convert'.
"""

import argparse
import ast
import json
import random
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

from edgeembed import TrainingExample, TrainingObjective, TrainingProgress, TrainingSettings, train

HELD_OUT = frozenset({"networkx", "requests", "click", "jinja2", "tqdm", "anyio", "joblib"})
PERMISSIVE = re.compile(r"\b(MIT|BSD|Apache|ISC|0BSD|Zlib|PSF|Python Software Foundation)\b", re.I)
COPYLEFT = re.compile(r"GPL|MPL|Mozilla|GNU|EUPL|CDDL|proprietary", re.I)
CASE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# Of a function, its beginning says most, and shorter texts train faster.
MAX_CHARACTERS, RUN = 320, 8


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where pairs come from."""

    package: str
    version: str
    license: str


def license_of(package: Distribution) -> str:
    """What a package says its license is; "" if that is not permissive in all it names."""
    expression, free, classifiers = (
        package.metadata.get_all(field) or []
        for field in ("License-Expression", "License", "Classifier")
    )
    named = [*(expression or free), *(c for c in classifiers if c.startswith("License"))]
    said = " / ".join(part.strip().splitlines()[0] for part in named if part.strip())
    return said if PERMISSIVE.search(said) and not COPYLEFT.search(said) else ""


def runs_of(code: str) -> set[int]:
    """Hashes of all runs of eight words in code; of shorter code, of all its words."""
    words = re.findall(r"\w+", code)
    last = max(1, len(words) - RUN + 1)
    return {zlib.crc32(" ".join(words[at : at + RUN]).encode()) for at in range(last)}


def kept_out(places: list[Path]) -> set[int]:
    """The runs of words in the code that is to be judged by."""
    runs: set[int] = set()
    for place in places:
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            if {"site-packages", "test", "tests"}.intersection(path.relative_to(place).parts):
                continue
            text = path.read_text(encoding="utf-8", errors="replace")
            if path.suffix == ".jsonl":
                for line in text.splitlines():
                    runs |= runs_of(without_docstring(json.loads(line)["code"]))
            else:
                runs |= runs_of(text)
    return runs


def without_docstring(code: str) -> str:
    """A function's code as Python writes it, without what it says of itself."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return code
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def pair_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> tuple[str, str, str] | None:
    """(what is asked, the function, its code without docstring); None if it says too little."""
    said = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split()).partition(". ")[0]
    name = " ".join(CASE.sub(" ", node.name.replace("_", " ")).lower().split())
    documented = bool(said)
    if documented:
        node.body = node.body[1:]
    if not node.body or (len(node.body) == 1 and isinstance(node.body[0], ast.Pass)):
        return None
    node.decorator_list = []
    code = ast.unparse(node)
    if len(re.findall(r"\w+", code)) < 2 * RUN:
        return None
    # One pair of a function: its other one would be a wrong negative.
    if len(said.split()) >= 5 and (zlib.crc32(code.encode()) % 3 or len(name.split()) < 3):
        return said[:MAX_CHARACTERS], code[:MAX_CHARACTERS], code
    if len(name.split()) < 3 or node.name.startswith("__"):
        return None
    body = code.replace(node.name, "f")
    head, _, rest = body.partition("\n")
    shown = f'{head}\n    """{said}"""\n{rest}' if documented else body
    return name, shown[:MAX_CHARACTERS], code


def pairs_of(package: Distribution, unwanted: set[int], seed: int) -> Iterator[TrainingExample]:
    """The pairs of a package's own modules, tests apart, in an order by chance."""
    files = sorted(package.files or [], key=str)
    random.Random(seed).shuffle(files)
    for file in files:
        if file.suffix != ".py" or "test" in str(file) or "vendor" in str(file):
            continue
        try:
            tree = ast.parse(Path(str(package.locate_file(file))).read_bytes())
        except (OSError, SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if (pair := pair_of(node)) is None:
                continue
            runs = runs_of(pair[2])
            if len(runs & unwanted) < len(runs) / 2:
                yield TrainingExample(anchor=pair[0], positive=pair[1], place=str(file))


def collected(
    unwanted: set[int], most: int, seed: int
) -> tuple[list[TrainingExample], list[TrainingExample], dict[Source, int]]:
    """(pairs to train on, pairs to measure on, how many come from which package).

    At most `most` come from one package: large ones say the same in many functions.
    """
    training: list[TrainingExample] = []
    held_out: list[TrainingExample] = []
    counted: Counter[Source] = Counter()
    seen: set[str] = set()
    for package in sorted(distributions(), key=lambda each: each.name.lower()):
        if not (said := license_of(package)):
            continue
        found: list[TrainingExample] = []
        for pair in pairs_of(package, unwanted, seed):
            if seen.isdisjoint((pair.anchor.lower(), pair.positive)):
                seen.update((pair.anchor.lower(), pair.positive))
                found.append(pair)
            if len(found) == most:
                break
        if package.name.lower() in HELD_OUT:
            held_out += found
        else:
            training += found
            counted[Source(package=package.name, version=package.version, license=said)] = len(
                found
            )
    return training, held_out, counted


def show_step(now: TrainingProgress) -> None:
    """Print every tenth step."""
    if now.step % 10 == 0:
        print(f"step {now.step} of {now.steps}, loss {now.loss:.3f}", flush=True)


def main() -> None:
    """Collect, train, and say what it was worth."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path)
    parser.add_argument("model", type=Path, help="a PyTorch model, such as all-MiniLM-L6-v2")
    parser.add_argument("--keep-out", type=Path, nargs="*", default=[])
    parser.add_argument("--pairs", type=int, default=6000)
    parser.add_argument("--per-package", type=int, default=150)
    parser.add_argument("--held-out", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--quantize", default="int8", help="a recipe, or none")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    unwanted = kept_out(options.keep_out)
    training, held_out, sources = collected(unwanted, options.per_package, options.seed)
    chance = random.Random(options.seed)
    chance.shuffle(training)
    chance.shuffle(held_out)
    rows = ["package\tversion\tlicense\tpairs"]
    rows += [f"{s.package}\t{s.version}\t{s.license}\t{n}" for s, n in sources.items() if n]
    listed = options.output.with_name(f"{options.output.name}.sources.tsv")
    listed.write_text("\n".join(rows) + "\n", encoding="utf-8")
    print(
        f"{len(training)} pairs of {len(rows) - 1} packages, {len(held_out)} held out", flush=True
    )
    report = train(
        options.model,
        training[: options.pairs],
        options.output,
        objective=TrainingObjective(loss="info_nce", temperature=0.05),
        settings=TrainingSettings(
            learning_rate=3e-5,
            warmup=0.1,
            batch_size=32,
            epochs=options.epochs,
            evaluate_every=50,
            seed=options.seed,
        ),
        evaluate_on=held_out[: options.held_out],
        quantize=None if options.quantize == "none" else options.quantize,
        on_step=lambda step: print(step, flush=True),
        on_progress=show_step,
    )
    name = report.metric
    print(f"{name} before: {report.before[name]:.3f}; after: {report.after[name]:.3f}")


if __name__ == "__main__":
    main()
