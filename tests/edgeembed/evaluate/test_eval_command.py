"""`edgeembed eval`, as people run it."""

import json
import re
import sys

import pytest


@pytest.fixture
def pairs(write):
    words = ("cat", "dog", "sun", "rain", "train", "music", "soup", "river")
    rows = [(a, b) for n, a in enumerate(words) for b in words[n + 1 :]]
    return write("pairs.tsv", [f"{n % 5}.5\tthe {a}\tthe {b}" for n, (a, b) in enumerate(rows)])


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_variants_stand_side_by_side_with_their_differences(run, run_json, tiny_path, pairs):
    result = run("eval", tiny_path, "--tasks", pairs)
    assert result.exit_code == 0, result.stderr
    assert "tiny fp32" in result.stdout
    assert "tiny int8" in result.stdout
    assert "spearman" in result.stdout
    tree = run_json("eval", tiny_path, "--tasks", pairs)
    assert tree["reference"] == "tiny fp32"
    assert set(tree["tasks"][0]["measured"]) == {"tiny fp32", "tiny int8"}
    assert tree["tasks"][0]["measured"]["tiny fp32"]["seconds"] == 0  # known from the first run
    assert tree["verdict"] is None


def test_the_budget_decides_the_exit_code(run, tiny_path, pairs):
    kept = run("eval", tiny_path, "-t", pairs, "--fail-under", "100")
    assert kept.exit_code == 0
    assert "No model is more than 100 points below" in kept.stdout
    tight = ("eval", tiny_path, "-t", pairs, "--fail-under", "0", "--reference", "tiny int8")
    other = ("eval", tiny_path, "-t", pairs, "--fail-under", "0")
    codes = {run(*arguments).exit_code for arguments in (tight, other)}
    assert codes <= {0, 3}
    assert 3 in codes  # one of the two is below the other


def test_the_page_is_one_file_that_needs_no_network(run, tiny_path, pairs, tmp_path):
    page = tmp_path / "report.html"
    arguments = (
        "eval",
        tiny_path,
        "-t",
        pairs,
        "-t",
        "bias",
        "--fail-under",
        "50",
        "--draws",
        "20",
    )
    result = run(*arguments, "--html", page)
    assert result.exit_code == 0, result.stderr
    text = page.read_text(encoding="utf-8")
    for expected in (
        "tiny int8",
        "Against the reference",
        "Quality against size",
        "flowers-insects",
    ):
        assert expected in text
    assert "Kept." in text
    own = re.sub(r"<script.*?</script>", "", text, flags=re.S)
    assert not re.search(r"(?:src|href)\s*=", own)
    assert not re.search(r"<script[^>]*\ssrc=", text)


def test_names_are_text_on_the_page_never_markup(run, tiny_path, write, tmp_path):
    name = "<img src=x onerror=alert(1)>\x1b]0;OWNED\x07.tsv"
    path = write(name, ["1\tthe cat\tthe dog", "2\tsun\train"])
    page = tmp_path / "r.html"
    assert run("eval", f"{tiny_path}@fp32", "-t", path, "--html", page).exit_code == 0
    text = page.read_text(encoding="utf-8")
    assert "<img" not in text.replace("\\u003c", "<").split("<h2>All")[1]
    assert "OWNED" in text
    assert "\x1b" not in text and "\x07" not in text


def test_dims_and_precisions_are_tried_on_one_model(run, run_json, tiny_path, pairs, tmp_path):
    arguments = ("eval", f"{tiny_path}@fp32", "-t", pairs, "--dims", "16,8", "--draws", "10")
    arguments += ("--precisions", "float32,binary", "--rescore", "--html", tmp_path / "r.html")
    tree = run_json(*arguments)
    assert [m["name"].removeprefix("tiny fp32").strip() for m in tree["models"]] == [
        "", "8 x float32", "8 x float32 + rescore", "16 x binary", "16 x binary + rescore",
        "8 x binary", "8 x binary + rescore",
    ]  # fmt: skip
    shown = run(*arguments, "--overwrite")
    assert "16 x binary" in shown.stdout
    assert "Quality against bytes a vector" in (tmp_path / "r.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("{bundle}", "-t", "nothing.tsv"), "expected a file or folder, found nothing"),
        (("nothing", "-t", "{pairs}"), "model nothing: expected a bundle"),
        (("{bundle}@int4", "-t", "{pairs}"), "expected the variant"),
        (("{bundle}", "-t", "{pairs}", "--reference", "x"), "reference: expected one of tiny fp32"),
        (("{bundle}", "-t", "{pairs}", "--fail-under", "-1"), "expected 0 points or more"),
        (("{bundle}@fp32", "-t", "{pairs}", "--fail-under", "1"), "expected two models or more"),
        (("{bundle}", "-t", "{pairs}", "--dims", "8"), "expected one model"),
        (("{bundle}@fp32", "-t", "{pairs}", "--dims", "x"), "--dims: expected numbers"),
        (("{bundle}@fp32", "-t", "{pairs}", "--dims", "99"), "dim: expected 1 to 16, got 99"),
        (("{bundle}@fp32", "-t", "{pairs}", "--precisions", "int4"), "precision: expected one of"),
        (("{bundle}", "-t", "{pairs}", "--html", "no/such/r.html"), "could not write"),
    ],
)
def test_bad_arguments_are_one_line_and_no_traceback(run, tiny_path, pairs, arguments, message):
    filled = [a.format(bundle=tiny_path, pairs=pairs) for a in arguments]
    result = run("eval", *filled, "--draws", "2")
    assert result.exit_code == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_what_is_left_out_is_said(run, tiny_path, write):
    documents = write("set/corpus.jsonl", [json.dumps({"_id": "1", "text": "the cat"})])
    write("set/queries.jsonl", [{"_id": "a", "text": "cat"}, {"_id": "b", "text": "dog"}])
    write("set/qrels/test.tsv", ["query-id\tcorpus-id\tscore", "a\t1\t1"])
    result = run("eval", f"{tiny_path}@fp32", "-t", documents.parent, "--draws", "2")
    assert "1 queries left out" in result.stderr


@pytest.mark.parametrize(
    ("missing", "arguments", "feature"),
    [
        ("scipy.stats", (), "edgeembed eval"),
        ("jinja2", ("--html", "r.html"), "the report page"),
        ("plotly.graph_objects", ("--html", "r.html"), "the report page"),
    ],
)
def test_a_missing_library_is_named_by_its_extra(
    run, tiny_path, pairs, monkeypatch, missing, arguments, feature
):
    monkeypatch.setitem(sys.modules, missing, None)
    result = run("eval", tiny_path, "-t", pairs, "--draws", "2", *arguments)
    assert result.exit_code == 1
    assert f"{feature} needs the extra 'eval'" in result.stderr
    assert "pip install 'edgeembed[eval]'" in result.stderr
