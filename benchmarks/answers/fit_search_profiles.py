"""Fit the search profile of text bundles, and write it into their manifests.

    python benchmarks/answers/fit_search_profiles.py DATA default static --work FOLDER --write

DATA is as for compare_peers.py, with STS benchmarks in sts/ (score, sentence, sentence). Profiles
are fitted on SciFact's training claims, every other question of CoSQA and the development set of
STSB. They are checked on what they never saw: SciFact's test claims, Cranfield, the rest of CoSQA,
STSB's test set and STS15.

With --multilingual, they are sets in several languages: fitted on STS17 in Spanish and in Arabic,
STSB's development set, Cranfield, and questions in three languages to passages in the same; checked
on questions to passages in another language, and on STSB's test set.

Without --write nothing is written but the results. Vectors are kept in the folder --work, so that a
second run is faster. See docs/notes/answers.md.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.answers.data_sets.bilingual import bilingual
from benchmarks.answers.data_sets.data_set import DataSet
from benchmarks.answers.data_sets.judged import cosqa, cranfield, scifact, sentences
from benchmarks.common.results_file import write_results
from edgeembed import EmbeddingCache, Encoder
from edgeembed.evaluate.datasets.judgments import Judgments
from edgeembed.evaluate.search_profile import SearchProfileReport, fit_search_profile
from edgeembed.evaluate.search_profile.fit import MAX_QUERIES
from edgeembed_runtime.bundle import Bundle, rewrite_manifest
from edgeembed_runtime.bundle.packaged import bundle_directory

Sets = dict[str, Judgments]
_CACHE_MB = 4096


def judgments_of(data: DataSet, *, half: int | None = None) -> Judgments:
    """A set of passages as judgments; `half` 0 or 1 keeps every other query."""
    kept = [query for place, query in enumerate(data.queries) if half in (None, place % 2)]
    return Judgments(
        queries=data.queries,
        documents={each.key: f"{each.title} {each.text}".strip() for each in data.documents},
        gains={query: data.gains[query] for query in kept},
        titles={each.key: each.title for each in data.documents if each.title},
    )


def english(data: Path) -> tuple[Sets, Sets]:
    """What profiles are fitted on, and what they are checked on."""
    science, code, sts = data / "retrieval" / "scifact", data / "code" / "cosqa", data / "sts"
    questions = cosqa(code)
    fit = {
        "SciFact, train": judgments_of(scifact(science, "train")),
        "CoSQA, odd": judgments_of(questions, half=1),
        "STSB, dev": judgments_of(sentences(sts / "STSB-dev.tsv", "STSB, dev")),
    }
    check = {
        "SciFact, test": judgments_of(scifact(science)),
        "Cranfield": judgments_of(cranfield(data / "retrieval" / "cranfield")),
        "CoSQA, even": judgments_of(questions, half=0),
        "STSB, test": judgments_of(sentences(sts / "STSB-test.tsv", "STSB, test")),
        "STS15": judgments_of(sentences(sts / "STS15.tsv", "STS15")),
    }
    return fit, check


def many_languages(data: Path) -> tuple[Sets, Sets]:
    """The same for encoders of many languages."""
    sts = data / "sts"
    fit = {
        "three languages": judgments_of(bilingual(crossing=False)),
        "STS17 es-es": judgments_of(sentences(sts / "STS17-es-es.tsv", "STS17 es-es")),
        "STS17 ar-ar": judgments_of(sentences(sts / "STS17-ar-ar.tsv", "STS17 ar-ar")),
        "STSB, dev": judgments_of(sentences(sts / "STSB-dev.tsv", "STSB, dev")),
        "Cranfield": judgments_of(cranfield(data / "retrieval" / "cranfield")),
    }
    check = {
        "three languages, crossing": judgments_of(bilingual()),
        "STSB, test": judgments_of(sentences(sts / "STSB-test.tsv", "STSB, test")),
    }
    return fit, check


def fit(
    bundle: str,
    fitted: Sets,
    checked: Sets,
    *,
    weight: float | None,
    max_queries: int,
    work: Path,
    write: bool,
) -> SearchProfileReport:
    """Fit the profile of one bundle, and with `write` put it into its manifest."""
    opened = Bundle.open(bundle_directory(bundle))
    on_step: Callable[[str], None] = lambda step: print(f"{bundle}: {step}", flush=True)  # noqa: E731
    space = opened.manifest.space.removeprefix("sha256:")
    cache = EmbeddingCache(work / f"{space[:16]}.sqlite3", max_mb=_CACHE_MB)
    with Encoder.load(opened.path, cache=cache) as encoder:
        report = fit_search_profile(
            encoder,
            fitted,
            held_out=checked,
            weight=weight,
            max_queries=max_queries,
            on_step=on_step,
        )
    if write:
        rewrite_manifest(opened, replace(opened.manifest, search=report.profile))
    return report


def table_of(report: SearchProfileReport) -> str:
    """The sets as rows of a Markdown table."""
    weight = report.profile.weight
    lines = ["| | queries | dense | keyword | hybrid | alarms / misses, likely | possible | ECE |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for each in report.sets:
        ndcg, trust = each.ndcg, each.reliability
        cells = [f"{n:.1f}" for n in (ndcg.dense, ndcg.keyword, ndcg.hybrid[weight])]
        if trust is not None:
            pairs = [(100 * e.false_alarms, 100 * e.misses) for e in reversed(trust.errors)]
            cells += [f"{alarms:.0f} / {misses:.0f}" for alarms, misses in pairs]
            cells.append(f"{trust.calibration_error:.3f}")
        name = f"{each.name} ({'fitted' if each.fitted else 'unseen'})"
        lines.append(f"| {name} | {each.queries} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, metavar="DATA", help="the folder of judged collections")
    parser.add_argument("bundles", nargs="+", metavar="BUNDLE", help="a path, default or static")
    parser.add_argument("--work", type=Path, required=True, help="a folder to keep vectors in")
    parser.add_argument("--max-queries", type=int, default=MAX_QUERIES, help="of each set")
    parser.add_argument("--weight", type=float, help="keep this one, fit the calibration alone")
    parser.add_argument("--multilingual", action="store_true", help="sets in several languages")
    parser.add_argument("--write", action="store_true", help="write the profiles into the bundles")
    parser.add_argument("--name", default="search-profiles", help="the name of the results")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    fitted, checked = (many_languages if options.multilingual else english)(options.data)
    tree = {}
    for bundle in options.bundles:
        report = fit(
            bundle,
            fitted,
            checked,
            weight=options.weight,
            max_queries=options.max_queries,
            work=options.work,
            write=options.write,
        )
        print(f"\n{bundle}: {report.profile}\n\n{table_of(report)}\n", *report.notes, sep="\n")
        tree[Path(bundle).stem] = report.as_dict()
        print("written:", write_results(options.name, {"bundles": tree}).name, flush=True)


if __name__ == "__main__":
    main()
