"""`edgeembed doctor`: check this machine, and a bundle on it."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edgeembed.cli.shared.options import AsJson, path_or_name
from edgeembed.cli.shared.output import print_json, print_table, step_progress
from edgeembed.doctor.bundle import bundle_findings
from edgeembed.doctor.finding import Finding
from edgeembed.doctor.machine import machine_findings
from edgeembed.doctor.offline import offline_finding
from edgeembed_runtime.bundle import Bundle

_SIGNS = {"ok": "ok", "note": "note", "wrong": "WRONG"}


def doctor(
    bundle: Annotated[
        Path | None, typer.Argument(parser=path_or_name, help="A bundle to check as well.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check this machine: processor, threads, providers, Annoy; and a bundle on it.

    With a bundle: every hash, the golden vectors of every variant, and proof that encoding needs no
    network. The exit code is 0 only if nothing is wrong.

    Example: edgeembed doctor minilm.bundle
    """
    if bundle is not None:
        Bundle.open(bundle)  # a wrong path is an error, not a finding
    findings: list[Finding] = []
    with step_progress() as progress:
        task = progress.add_task("Looking at the machine")
        findings += machine_findings()
        if bundle is not None:
            progress.update(task, description="Checking the bundle")
            findings += bundle_findings(bundle)
            progress.update(task, description="Encoding without a network")
            findings.append(offline_finding(bundle))
    well = all(finding.status != "wrong" for finding in findings)
    if as_json:
        print_json({"ok": well, "findings": [asdict(finding) for finding in findings]})
    else:
        print_table(
            ["", "what", "found"],
            [
                (_SIGNS[f.status], f.name, (f.found, f"-> {f.advice}") if f.advice else f.found)
                for f in findings
            ],
        )
    if not well:
        raise typer.Exit(1)
