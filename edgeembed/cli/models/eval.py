"""`edgeembed eval`: compare models on data sets."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from edgeembed.cli.shared.cache_folder import cache_folder
from edgeembed.cli.shared.options import AsJson, Overwrite
from edgeembed.cli.shared.output import print_json, print_table, remark, say, step_progress
from edgeembed.evaluate.models.model import Model
from edgeembed.evaluate.models.open_models import open_models
from edgeembed.evaluate.models.quantized_vectors import Compaction, StoredAs, compacted
from edgeembed.evaluate.report.page import write_page
from edgeembed.evaluate.report.summary import (
    as_tree,
    is_sure,
    mean_score,
    number,
    remarks,
)
from edgeembed.evaluate.runner.cache import ObservationCache
from edgeembed.evaluate.runner.evaluation import DRAWS, Evaluation, Measured, evaluate
from edgeembed.evaluate.runner.verdict import Verdict, judge
from edgeembed.evaluate.tasks.open_tasks import open_tasks
from edgeembed.evaluate.tasks.task import OnStep
from edgeembed.export.outputs import check_free
from edgeembed_runtime.errors import InputError, MissingExtraError

FAILED_BUDGET = 3


def eval_(
    models: Annotated[
        list[str],
        typer.Argument(
            help="Bundles (BUNDLE for all its variants, BUNDLE@int8 for one), directories of "
            "sentence-transformers or Optimum, text files of word vectors."
        ),
    ],
    tasks: Annotated[
        list[str],
        typer.Option(
            "--tasks",
            "-t",
            help="A data set's file or folder, or a folder of them; KIND:PATH names its kind. "
            "Repeatable. 'bias' alone: the bundled word lists.",
        ),
    ],
    reference: Annotated[
        str | None, typer.Option(help="The name of the model to compare with; default: the first.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write a report with plots to this HTML file.")
    ] = None,
    fail_under: Annotated[
        float | None,
        typer.Option(
            help="Exit with 3 if a model is more than this many points below the reference."
        ),
    ] = None,
    dims: Annotated[
        str | None,
        typer.Option(help="Try truncated vectors of one model, such as 384,256,128."),
    ] = None,
    precisions: Annotated[
        str | None,
        typer.Option(help="Try quantized vectors of one model: float32,float16,int8,binary."),
    ] = None,
    rescore: Annotated[
        bool,
        typer.Option(
            "--rescore", help="With --dims or --precisions: also rescore the top 100 in full."
        ),
    ] = False,
    draws: Annotated[int, typer.Option(min=1, help="Number of bootstrap samples.")] = DRAWS,
    seed: Annotated[int, typer.Option(min=0, help="Seed of folds, clusters and samples.")] = 0,
    cache: Annotated[
        bool, typer.Option(help="Cache what models give, and do not run them again.")
    ] = True,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Compare models on public or your own data: scores, differences, confidence intervals.

    Examples:
    edgeembed eval minilm.bundle --tasks sts-test.tsv --tasks scifact/ --html report.html

    edgeembed eval minilm.bundle@fp32 minilm.bundle@int8 --tasks my-pairs.csv --fail-under 0.5

    edgeembed eval minilm.bundle@int8 --tasks scifact/ --dims 384,128 --precisions int8,binary
    """
    check_free([html], overwrite=overwrite)
    with step_progress() as progress:
        task = progress.add_task("Opening")
        on_step: OnStep = lambda step: progress.update(task, description=step)  # noqa: E731
        opened = open_models(models)
        standard = _named(opened, reference)
        ways: dict[str, Compaction] = {}
        if dims or precisions:
            opened, ways = _compactions(opened, dims, precisions, rescore)
            standard = opened[0]
        try:
            evaluation = evaluate(
                opened,
                open_tasks(tasks, standard, seed=seed),
                reference=standard,
                draws=draws,
                seed=seed,
                cache=ObservationCache(folder=cache_folder() / "evaluations") if cache else None,
                on_step=on_step,
            )
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in ("scipy", "sklearn"):
                raise
            raise MissingExtraError.for_extra("edgeembed eval", "eval") from error
    verdict = None if fail_under is None else judge(evaluation, fail_under)
    if html is not None:
        write_page(html, evaluation, verdict=verdict, ways=ways)
    if as_json:
        print_json({**as_tree(evaluation), "verdict": _verdict_tree(verdict)})
    else:
        _show(evaluation, verdict, ways)
        if html is not None:
            remark(f"{html}: the page")
    if verdict and not verdict.ok:
        raise typer.Exit(FAILED_BUDGET)


def _named(models: Sequence[Model], name: str | None) -> Model:
    for model in models:
        if name in (None, model.name):
            return model
    raise InputError(
        f"reference: expected one of {', '.join(m.name for m in models)}, got {name!r}"
    )


def _compactions(
    models: Sequence[Model], dims: str | None, precisions: str | None, rescore: bool
) -> tuple[list[Model], dict[str, Compaction]]:
    if len(models) != 1:
        names = ", ".join(model.name for model in models)
        raise InputError(f"--dims and --precisions: expected one model, got {names}")
    wanted = [_whole(each) for each in dims.split(",")] if dims else [models[0].dim]
    names: Any = precisions.split(",") if precisions else ["float32"]
    stored_as: list[StoredAs] = [name.strip() for name in names]
    whole, compact = compacted(models[0], wanted, stored_as, rescore=rescore)
    return [whole, *(m for _, m in compact)], {m.name: way for way, m in compact}


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError(f"--dims: expected numbers, such as 384,128, got {text!r}") from None


def _verdict_tree(verdict: Verdict | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    failures = [vars(failure) for failure in verdict.failures]
    return {"ok": verdict.ok, "budget": verdict.budget, "failures": failures}


def _show(evaluation: Evaluation, verdict: Verdict | None, ways: dict[str, Compaction]) -> None:
    if ways:
        _show_compactions(evaluation, ways)
    else:
        _show_tasks(evaluation)
    for line in remarks(evaluation):
        remark(line)
    if verdict:
        for failure in verdict.failures:
            say(
                f"{failure.model} at {failure.task}: {failure.metric} "
                f"{number(failure.difference, sign=True)}, over the budget of {verdict.budget:g}"
            )
        if verdict.ok:
            say(f"No model is more than {verdict.budget:g} points below the reference.")


def _show_tasks(evaluation: Evaluation) -> None:
    names = [model.name for model in evaluation.models]
    rows = [
        (f"{task.name}", task.metric, *(_cell(task.measured[name]) for name in names))
        for task in evaluation.tasks
    ]
    if len(evaluation.quality_tasks) > 1:
        means = [number(mean_score(evaluation, name)) for name in names]
        rows.append(("mean of quality", "points", *means))
    title = f"Against {evaluation.reference}; * where chance (95 %) does not explain it"
    columns = ["task", "score", *(f"#{name}" for name in names)]
    print_table(columns, rows, title=title if len(names) > 1 else None)


def _cell(found: Measured) -> str:
    if found.difference is None:
        width = (found.interval.high - found.interval.low) / 2
        return f"{number(found.score)} ± {number(width)}"
    star = "*" if is_sure(found) else ""
    return f"{number(found.score)} ({number(found.difference.value, sign=True)}){star:1}"


def _show_compactions(evaluation: Evaluation, ways: dict[str, Compaction]) -> None:
    rows = [
        (
            ways[model.name].name if model.name in ways else "whole",
            f"{ways[model.name].bytes if model.name in ways else 4 * model.dim:,.0f}",
            *(_cell(task.measured[model.name]) for task in evaluation.tasks),
            number(mean_score(evaluation, model.name)),
        )
        for model in evaluation.models
    ]
    columns = ["stored", "#bytes", *(f"#{task.name}" for task in evaluation.tasks), "#mean"]
    print_table(columns, rows, title=evaluation.reference)
