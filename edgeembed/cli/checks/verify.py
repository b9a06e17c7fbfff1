"""`edgeembed verify`: check every byte, and that the model still gives its golden vectors."""

import contextlib
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edgeembed import Encoder, Index
from edgeembed.cli.shared.opening import is_index
from edgeembed.cli.shared.options import AsJson, ModelPath, path_or_name
from edgeembed.cli.shared.output import print_json, print_table, say
from edgeembed.cli.shared.streams import show_problem
from edgeembed_runtime.bundle import Bundle
from edgeembed_runtime.encoder.self_test import SelfTest
from edgeembed_runtime.errors import EdgeEmbedError

_NAMED = 5


def verify(
    path: Annotated[Path, typer.Argument(parser=path_or_name, help="A bundle or an index.")],
    repair: Annotated[
        Path | None,
        typer.Option(help="Rescue a damaged index into a new one at this path."),
    ] = None,
    model: ModelPath = None,
    as_json: AsJson = False,
) -> None:
    """Check every file of a bundle or an index, and run a bundle's golden inputs.

    The exit code is 0 only if nothing is wrong. With --repair, damaged vectors are encoded again
    with the bundle that --model names, or restored from their quantized codes; the damaged index is
    not changed.

    Examples: edgeembed verify minilm.bundle

    edgeembed verify edgeembed.index --repair new.index --model minilm.bundle
    """
    if repair is not None:
        _repair(path, repair, model, as_json)
        return
    tests: list[SelfTest] = []
    if is_index(path):
        with Index.open(path) as index:
            problems = list(index.verify(full=True).problems)
    else:
        problems, tests = _verify_bundle(path)
    if as_json:
        results = [{**asdict(test), "ok": test.ok} for test in tests]
        print_json({"ok": not problems, "problems": problems, "self_tests": results})
    else:
        _show(path, problems, tests)
    if problems:
        raise typer.Exit(1)


def _repair(path: Path, target: Path, model: Path | None, as_json: bool) -> None:
    with contextlib.ExitStack() as opened:
        encoder = None if model is None else opened.enter_context(Encoder.load(model))
        report = Index.repair(path, target, encoder=encoder)
    if as_json:
        print_json(asdict(report))
        return
    say(f"{target}: {report.intact} documents are as they were")
    for what, keys in (
        ("encoded anew", report.encoded),
        ("with approximate vectors", report.approximate),
        ("lost", report.lost),
    ):
        if keys:
            more = "" if len(keys) <= _NAMED else f" and {len(keys) - _NAMED} more"
            shown = ", ".join(keys[:_NAMED])
            say(f"{len(keys)} {what}: {shown}{more}")


def _verify_bundle(path: Path) -> tuple[list[str], list[SelfTest]]:
    bundle = Bundle.open(path)
    problems = bundle.problems()
    tests: list[SelfTest] = []
    for modality, tower in bundle.manifest.towers.items():
        for name in tower.variant_names:
            try:
                with Encoder.load(path, variant=name, modalities=(modality,)) as encoder:
                    tests.append(encoder.self_test())
            except EdgeEmbedError as error:
                if str(error) not in problems:
                    problems.append(str(error))
    problems += [
        f"{_tower(test)}variant {test.variant}: expected golden cosines of at least "
        f"{test.expected_min_cosine:.6f}, found {test.min_cosine:.6f}"
        for test in tests
        if not test.ok
    ]
    return problems, tests


def _tower(test: SelfTest) -> str:
    return "" if test.modality == "text" else f"{test.modality} "


def _show(path: Path, problems: list[str], tests: list[SelfTest]) -> None:
    if tests:
        print_table(
            ["variant", "#golden inputs", "#mean cosine", "#min cosine", "#at least", "result"],
            [
                (
                    f"{_tower(test)}{test.variant}",
                    test.texts,
                    f"{test.mean_cosine:.6f}",
                    f"{test.min_cosine:.6f}",
                    f"{test.expected_min_cosine:.6f}",
                    "ok" if test.ok else "WRONG",
                )
                for test in tests
            ],
        )
    for problem in problems:
        show_problem(problem)
    if not problems:
        say(f"{path}: everything is as it should be")
