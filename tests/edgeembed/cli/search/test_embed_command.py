"""`edgeembed embed`: texts in, vectors out, in order, or nothing at all."""

import json

import numpy as np
import pytest

from edgeembed import Encoder
from helpers import tiny_bundle

TEXTS = ["the cat sat", "", "  a dog  ", "東京"]


@pytest.fixture(scope="module")
def encoder(tiny_path):
    with Encoder.load(tiny_path) as made:
        yield made


def records(text):
    return [json.loads(line) for line in text.splitlines()]


def check(found, texts, expected):
    assert [record["text"] for record in found] == texts
    np.testing.assert_allclose([record["embedding"] for record in found], expected, atol=1e-7)


def test_lines_of_standard_input_become_json_lines(run, tiny_path, encoder):
    result = run("embed", tiny_path, stdin="\n".join(TEXTS) + "\n")
    assert result.exit_code == 0
    check(records(result.stdout), TEXTS, encoder.encode_document(TEXTS))


def test_a_real_process_reads_and_writes_utf8_and_nothing_else_on_stdout(command, tiny_path):
    result = command("embed", tiny_path, stdin="東京\r\nthe cat".encode(), PYTHONUTF8="1")
    assert result.returncode == 0, result.stderr
    assert [r["text"] for r in records(result.stdout.decode("utf-8"))] == ["東京", "the cat"]


def test_files_of_lines_and_of_records_are_read_in_the_order_given(
    run, tiny_path, tmp_path, encoder
):
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    (tmp_path / "b.jsonl").write_text('{"body": "three"}\n\n{"body": "four", "x": 1}\n')
    result = run("embed", tiny_path, "b.jsonl", "a.txt", "b.jsonl", "--field", "body")
    texts = ["three", "four", "one", "two", "three", "four"]
    check(records(result.stdout), texts, encoder.encode_document(texts))


def test_records_on_standard_input_are_read_with_jsonl(run, tiny_path):
    result = run("embed", tiny_path, "--jsonl", stdin='{"text": "cat"}\n{"text": "dog"}\n')
    assert [record["text"] for record in records(result.stdout)] == ["cat", "dog"]


def test_an_npy_file_holds_the_same_vectors_bit_for_bit(run_json, tiny_path, tmp_path, encoder):
    (tmp_path / "in.txt").write_text("\n".join(TEXTS))
    summary = run_json("embed", tiny_path, "in.txt", "-o", "out.npy")
    found = np.load(tmp_path / "out.npy", allow_pickle=False)
    np.testing.assert_array_equal(found, encoder.encode_document(TEXTS))
    assert found.dtype == np.dtype("<f4")
    assert (summary["texts"], summary["dim"], summary["space"]) == (4, 16, "tiny")
    assert summary["variant"] == encoder.variant


def test_a_jsonl_file_holds_text_and_vector(run, tiny_path, tmp_path, encoder):
    result = run("embed", tiny_path, "-o", "out.jsonl", stdin="the cat\n")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "out.jsonl: 1 vectors of 16" in result.stderr
    check(
        records((tmp_path / "out.jsonl").read_text("utf-8")),
        ["the cat"],
        [encoder.encode_document("the cat")],
    )


def test_query_uses_the_other_prompt(run, tiny_path, encoder):
    result = run("embed", tiny_path, "--query", stdin="the cat\n")
    check(records(result.stdout), ["the cat"], [encoder.encode_query("the cat")])
    assert not np.array_equal(encoder.encode_query("the cat"), encoder.encode_document("the cat"))


def test_a_model_without_the_prompt_gets_none_even_if_it_has_a_default(run, tmp_path, encoder):
    tower = {"prompts": {"shout": "hey "}, "default_prompt_name": "shout"}
    path = tiny_bundle.write_tiny_bundle(tmp_path / "b", tower=tower)
    result = run("embed", path, stdin="the cat\n")
    check(records(result.stdout), ["the cat"], [encoder.encode("the cat", prompt="")])


def test_a_variant_can_be_named(run_json, tiny_path, tmp_path):
    (tmp_path / "in.txt").write_text("the cat")
    for variant in ("fp32", "int8"):
        summary = run_json(
            "embed", tiny_path, "in.txt", "-o", f"{variant}.npy", "--variant", variant
        )
        assert summary["variant"] == variant


def test_no_text_gives_no_vector_and_no_failure(run, tiny_path, tmp_path):
    assert run("embed", tiny_path, stdin="").stdout == ""
    assert run("embed", tiny_path, "-o", "none.npy", stdin="").exit_code == 0
    assert np.load(tmp_path / "none.npy").shape == (0, 16)


@pytest.mark.parametrize(
    ("options", "stdin", "message"),
    [
        ([], b"good\nbad \xff\n", "standard input, line 2: expected UTF-8, got byte 0xff"),
        (["--jsonl"], b'{"text": "a"}\n{oops\n', "standard input, line 2: expected JSON"),
        (["--jsonl"], b'["a"]\n', "line 1: expected a JSON object, got list"),
        (["--jsonl"], b'{"body": "a"}\n', "line 1: expected a text in the field 'text', got noth"),
        (["--jsonl"], b'{"text": 5}\n', "line 1: expected a text in the field 'text', got int"),
        (["--jsonl"], b'{"text": "\\ud800"}\n', "inputs[0]: text: expected valid Unicode"),
        (["--variant", "fp16"], b"a\n", "expected auto or one of fp32, int8, got 'fp16'"),
        (["-o", "vectors.csv"], b"a\n", "output vectors.csv: expected a name in .npy or .jsonl"),
        (["-o", "nowhere/v.npy"], b"a\n", "could not write nowhere/v.npy: No such file"),
        (["-o", "plain/v.npy"], b"a\n", "could not write plain/v.npy: Not a directory"),
        (["nowhere.txt"], b"", "could not read nowhere.txt: No such file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_encoded_is_named_in_one_line(
    fails, tiny_path, tmp_path, options, stdin, message
):
    (tmp_path / "plain").write_text("a file")
    assert message in fails("embed", tiny_path, *options, stdin=stdin)
    assert not list(tmp_path.glob("**/*.npy"))
    assert not list(tmp_path.glob(".*tmp"))


def test_a_file_that_is_not_utf8_is_named_with_its_line(fails, tiny_path, tmp_path):
    (tmp_path / "latin.txt").write_bytes(b"one\ntwo\ncaf\xe9\n")
    assert "latin.txt, line 3: expected UTF-8, got byte 0xe9" in fails(
        "embed", tiny_path, "latin.txt"
    )


@pytest.mark.parametrize("name", ["out.npy", "out.jsonl"])
@pytest.mark.parametrize("bad", [b"good\n\xff\n", b'{"text": "\\ud800"}\n'])
def test_a_run_that_fails_keeps_the_output_that_is_there(fails, tiny_path, tmp_path, name, bad):
    (tmp_path / name).write_bytes(b"precious")
    fails("embed", tiny_path, "-o", name, *(["--jsonl"] if b"{" in bad else []), stdin=bad)
    assert (tmp_path / name).read_bytes() == b"precious"
    assert sorted(p.name for p in tmp_path.iterdir()) == [name]


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
sys.argv[0] = "edgeembed"
from edgeembed.cli import main
main()
"""


@pytest.mark.parametrize("name", ["out.npy", "out.jsonl"])
def test_a_disk_without_room_is_one_line_and_the_old_output_stays(
    command, tiny_path, tmp_path, name
):
    pytest.importorskip("resource")
    (tmp_path / name).write_bytes(b"precious")
    arguments = ("embed", tiny_path, "-o", name, "--overwrite")
    result = command(*arguments, code=LIMITED, stdin=b"the cat\n" * 500)
    assert result.returncode == 1
    assert b"Traceback" not in result.stderr
    assert result.stderr.decode().splitlines()[-1].startswith(f"edgeembed: could not write {name}")
    assert (tmp_path / name).read_bytes() == b"precious"
    assert sorted(p.name for p in tmp_path.iterdir()) == [name]


def test_letters_that_the_terminal_lacks_are_escaped_and_never_fail(command, tiny_path):
    text = "h\u00e9llo \u6771\u4eac"
    done = command("embed", tiny_path, stdin=f"{text}\n".encode(), PYTHONIOENCODING="latin-1")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["text"] == text


def test_a_byte_order_mark_is_no_part_of_the_first_text(run, tiny_path, tmp_path):
    path = tmp_path / "windows.txt"
    path.write_bytes(b"\xef\xbb\xbfthe cat\r\nthe dog\r\n")
    lines = run("embed", tiny_path, path).stdout.splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["the cat", "the dog"]
