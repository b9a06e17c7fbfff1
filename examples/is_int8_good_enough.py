"""Is the small variant good enough for your own texts? Ask in a script, as in CI.

Run: python examples/is_int8_good_enough.py BUNDLE [REPORT.html]

Two data sets are made here: questions with the answers that should be found, and texts without any
labels, for which the variants are compared with each other.
"""

import sys
import tempfile
from pathlib import Path

from edgeembed.evaluate import evaluate, judge, open_models, open_tasks, write_page

ANSWERS = {
    "how do I prune the flowers": "Cut the roses back in February, above an outward bud.",
    "what goes into the broth": "Onions, two carrots, a marrow bone, three hours.",
    "vehicle check-up": "The next inspection of the car is due in October.",
    "who is allowed to sign": "Contracts need the signature of both managing directors.",
    "reset a forgotten password": "Choose 'forgotten' below the login form and follow the mail.",
    "is the museum open on Mondays": "We are closed on Mondays, except on public holidays.",
}
BUDGET = 10.0  # points; six questions cannot tell small differences


def main() -> None:
    """Compare all variants of a bundle and exit with 1 if one loses too much."""
    if len(sys.argv) < 2:
        sys.exit("usage: python examples/is_int8_good_enough.py BUNDLE [REPORT.html]")
    models = open_models([sys.argv[1]])
    with tempfile.TemporaryDirectory() as folder:
        questions, texts = Path(folder) / "questions.tsv", Path(folder) / "texts.txt"
        rows = ["query\tdocument", *(f"{q}\t{a}" for q, a in ANSWERS.items())]
        questions.write_text("\n".join(rows), encoding="utf-8")
        texts.write_text("\n".join([*ANSWERS, *ANSWERS.values()]), encoding="utf-8")
        result = evaluate(models, open_tasks([str(questions), str(texts)], models[0]))
    for task in result.tasks:
        for name, found in task.measured.items():
            print(f"{task.name} {task.metric} {name}: {found.score:.1f}")
    if len(sys.argv) > 2:
        write_page(Path(sys.argv[2]), result)
    verdict = judge(result, BUDGET)
    print("kept" if verdict.ok else f"not kept: {verdict.failures}")
    sys.exit(0 if verdict.ok else 1)


if __name__ == "__main__":
    main()
