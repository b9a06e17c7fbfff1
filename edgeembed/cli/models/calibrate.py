"""`edgeembed calibrate`: measure how to search with a bundle, and write it into its manifest."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeembed import Encoder
from edgeembed.cli.shared.options import AsJson, VariantName, path_or_name
from edgeembed.cli.shared.output import print_json, print_table, remark, say, step_progress
from edgeembed.evaluate.datasets.judgments import TO_EVALUATE, TO_FIT, Judgments, read_judgments
from edgeembed_runtime.bundle import Bundle, SearchProfile, rewrite_manifest
from edgeembed_runtime.errors import InputError, MissingExtraError
from edgeembed_runtime.index.search.query import LIKELIHOODS

if TYPE_CHECKING:
    from edgeembed.evaluate.search_profile import Reliability, SearchProfileReport


def calibrate(
    bundle: Annotated[
        Path,
        typer.Argument(parser=path_or_name, help="A bundle of texts; its manifest is rewritten."),
    ],
    datasets: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATASET...",
            help="Judged data sets to fit on: folders in BEIR's form, of which the split train is "
            "read (or dev, or test), or tables of query, document and score.",
        ),
    ],
    check: Annotated[
        list[Path] | None,
        typer.Option(
            help="A data set to measure the result on, in its split test (or dev, or train). "
            "Repeatable."
        ),
    ] = None,
    variant: VariantName = "auto",
    passage_tokens: Annotated[
        int | None,
        typer.Option(min=1, help="How long passages should be; default: what the bundle says."),
    ] = None,
    overlap_tokens: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="How much of the one before a passage may repeat; default: what the bundle says, "
            "but at most a quarter.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of drawn queries and of folds.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Measure, and write nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure how to search with a bundle: how much cosines count, and how likely a hit fits.

    Hybrid search gets the weight that is best on the data sets. Cosines get a calibration: the
    probability that a hit is relevant, learned from the best hit of each query, and from the one
    that is left when its answers are taken away. Both are written into the bundle's manifest.

    Examples: edgeembed calibrate minilm.bundle scifact/ --check nfcorpus/

    edgeembed calibrate minilm.bundle my-judgments.tsv --dry-run
    """
    from edgeembed.evaluate.search_profile import fit_search_profile

    opened = Bundle.open(bundle)
    opened.manifest.text_tower()
    judgments = _read(datasets, TO_FIT)
    held_out = _read(check or [], TO_EVALUATE)
    with (
        step_progress() as progress,
        Encoder.load(bundle, variant=variant, modalities=("text",)) as encoder,
    ):
        task = progress.add_task("Opening")

        def on_step(step: str) -> None:
            progress.update(task, description=step)

        profile = _passages(encoder.search_profile, passage_tokens, overlap_tokens)
        try:
            report = fit_search_profile(
                encoder,
                judgments,
                held_out=held_out,
                profile=profile,
                seed=seed,
                on_step=on_step,
            )
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in ("scipy", "sklearn"):
                raise
            raise MissingExtraError.for_extra("edgeembed calibrate", "eval") from error
    if not dry_run:
        rewrite_manifest(opened, replace(opened.manifest, search=report.profile))
    if as_json:
        print_json({**report.as_dict(), "written": None if dry_run else str(opened.path)})
        return
    _show(report)
    remark("Nothing was written." if dry_run else f"{opened.path}: written")


def _passages(start: SearchProfile, tokens: int | None, overlap: int | None) -> SearchProfile:
    if tokens is None:
        tokens = start.passage_tokens
    if overlap is None:
        overlap = min(start.overlap_tokens, tokens // 4)
    if overlap >= tokens:
        raise InputError(
            f"--overlap-tokens: expected fewer than the {tokens} of a passage, got {overlap}"
        )
    return replace(start, passage_tokens=tokens, overlap_tokens=overlap)


def _read(paths: Sequence[Path], splits: Sequence[str]) -> dict[str, Judgments]:
    found: dict[str, Judgments] = {}
    for path in paths:
        name = path.absolute().stem
        if name in found:
            raise InputError(f"{path}: expected data sets of different names, got {name!r} twice")
        found[name] = read_judgments(path, splits)
    return found


def _show(report: "SearchProfileReport") -> None:
    profile = report.profile
    print_table(
        ["data set", "", "#queries", "#dense", "#keyword", "#hybrid", "#gain"],
        [
            (
                each.name,
                "fitted" if each.fitted else "check",
                each.queries,
                f"{each.ndcg.dense:.1f}",
                f"{each.ndcg.keyword:.1f}",
                f"{each.ndcg.hybrid[profile.weight]:.1f}",
                f"{each.gain:+.1f}",
            )
            for each in report.sets
        ],
        title="nDCG@10; gain: above the better of dense and keyword",
    )
    rows = [(each.name, each.reliability) for each in report.sets if each.reliability]
    if report.reliability is not None:
        rows.append(("all that were fitted", report.reliability))
    if rows:
        print_table(
            ["data set", "#Brier", "#calibration error", "false alarms / misses"],
            [(name, *_cells(each)) for name, each in rows],
            title="How far the probability of the best hit can be trusted",
        )
    say(f"weight of the cosine: {profile.weight:g}")
    curve = profile.calibration
    if curve is not None:
        for name, probability in LIKELIHOODS.items():
            at = curve.cosine(probability)
            say(f"a hit is {name} ({probability:.0%}) from a cosine of {at:.3f}")
    for note in report.notes:
        remark(note)


def _cells(each: "Reliability") -> tuple[str, str, str]:
    errors = ", ".join(
        f"{e.false_alarms:.0%} / {e.misses:.0%} at {e.at:g}" for e in reversed(each.errors)
    )
    return (
        f"{each.brier:.3f} (mean alone: {each.brier_of_mean:.3f})",
        f"{each.calibration_error:.3f}",
        errors,
    )
