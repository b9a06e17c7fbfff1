"""`edgeembed verify`: is every byte what it should be, and does the model still do what it did?"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edgeembed import Encoder, Index
from edgeembed.cli.output import AsJson, out, print_json, print_table
from edgeembed.cli.targets import is_index
from edgeembed_runtime.bundle import Bundle
from edgeembed_runtime.errors import EdgeEmbedError
from edgeembed_runtime.self_test import SelfTest


def verify(
    path: Annotated[Path, typer.Argument(help="A bundle or an index.")], as_json: AsJson = False
) -> None:
    """Check every file of a bundle or an index; of a bundle, run its golden inputs here as well.

    The exit code is 0 only if nothing is wrong.

    Example: edgeembed verify minilm.bundle
    """
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


def _verify_bundle(path: Path) -> tuple[list[str], list[SelfTest]]:
    bundle = Bundle.open(path)
    problems = bundle.problems()
    tests: list[SelfTest] = []
    for variant in bundle.manifest.text.variants:
        try:
            with Encoder.load(path, variant=variant.name) as encoder:
                tests.append(encoder.self_test())
        except EdgeEmbedError as error:
            if str(error) not in problems:
                problems.append(str(error))
    problems += [
        f"variant {test.variant}: expected golden cosines of at least "
        f"{test.expected_min_cosine:.6f}, found {test.min_cosine:.6f}"
        for test in tests
        if not test.ok
    ]
    return problems, tests


def _show(path: Path, problems: list[str], tests: list[SelfTest]) -> None:
    if tests:
        print_table(
            ["variant", "#golden texts", "#mean cosine", "#min cosine", "#at least", "result"],
            [
                (
                    test.variant,
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
        typer.echo(f"edgeembed: {problem}", err=True)
    if not problems:
        out.print(f"{path}: everything is as it should be", highlight=False)
