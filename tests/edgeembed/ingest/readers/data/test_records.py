"""JSON, JSON Lines and YAML: records with what they say, and their places."""

import json
import tracemalloc

import pytest

from edgeembed.ingest.readers.base.protocol import ReadingSettings, Reason
from edgeembed.ingest.readers.registry import read_file
from helpers.readers.reading import read_bytes, told


def shown(blocks):
    return [(block.part, block.text) for block in blocks]


BAD_RECORDS = [
    '{"id":true,"text":"x"}',
    '{"id":"x","text":null}',
    '{"id":"x","text":["list"]}',
    '{"id":"x"}',
    "[1,2]",
    '"text"',
    '{"id":"x","text":"trunc',
    "[" * 100_000,
    "1" * 10_000,
]


@pytest.mark.parametrize("bad", BAD_RECORDS, ids=lambda record: record[:30])
def test_a_bad_record_is_named_by_its_line_and_the_others_are_read(tmp_path, bad):
    lines = ['{"id":"a","text":"one"}', bad, "", '{"id":"b","text":"two"}']
    blocks, remarks = read_bytes(tmp_path, "r.jsonl", "\n".join(lines))
    assert shown(blocks) == [("a", "one"), ("b", "two")]
    assert told(remarks) == [(Reason.DAMAGED, "line 2")]


@pytest.mark.parametrize(
    ("field", "why"),
    [
        ('"score":NaN', "finite"),
        ('"n":123456789012345678901234567890', "64 bits"),
        ('"f":"\\u0000"', "NUL"),
        ('"half":"\\ud83d"', "surrogate"),
        ('"deep":' + "[" * 40 + "]" * 40, "levels"),
    ],
)
@pytest.mark.parametrize("suffix", ["jsonl", "json"])
def test_a_field_that_no_index_takes_costs_the_record_nothing_else(tmp_path, field, why, suffix):
    record = f'{{"id":"x","text":"the text","ok":1,{field}}}'
    (block,), (remark,) = read_bytes(tmp_path, f"r.{suffix}", record)
    assert (block.part, block.text, block.metadata) == ("x", "the text", {"ok": 1})
    assert (remark.reason, remark.where) == (Reason.DAMAGED, "line 1")
    assert why in remark.detail
    assert field.partition(":")[0].strip('"') in remark.detail


def test_half_a_character_is_replaced_and_told(tmp_path):
    record = '{"id":"\\ud83d","title":"t\\ud83d","text":"cut in an emoji \\ud83d"}'
    (block,), remarks = read_bytes(tmp_path, "r.jsonl", record)
    assert (block.part, block.title, block.text) == ("\ufffd", "t\ufffd", "cut in an emoji \ufffd")
    assert (Reason.REPLACED, "line 1") in told(remarks)


def test_the_reason_of_a_number_without_end_is_for_people(tmp_path):
    record = '{"id":"x","text":"x","n":' + "9" * 5000 + "}"
    blocks, (remark,) = read_bytes(tmp_path, "r.jsonl", record)
    assert (blocks, remark.where) == ([], "line 1")
    assert "digits" in remark.detail
    assert "sys." not in remark.detail


@pytest.mark.parametrize(
    ("record", "part"),
    [
        ('{"id":"a b","text":"x"}', "a b"),
        ('{"_id":7,"text":"x"}', "7"),
        ('{"id":7.0,"text":"x"}', "7.0"),
        ('{"id":-1.5,"text":"x"}', "-1.5"),
        ('{"key":"k","id":"i","text":"x"}', "k"),
        ('{"id":null,"text":"x"}', ":1"),
        ('{"id":"","text":"x"}', ":1"),
        ('{"text":"x"}', ":1"),
        ('{"_id":{"$oid":"65a"},"text":"x"}', "65a"),
        ('{"id":":1","text":"x"}', "%3A1"),
        ('{"id":"../a/./b","text":"x"}', "a/b"),
        ('{"id":"a\\u0000b","text":"x"}', "ab"),
    ],
)
def test_the_part_of_a_record_is_its_id_or_its_line(tmp_path, record, part):
    (block,), remarks = read_bytes(tmp_path, "r.jsonl", record)
    assert (block.part, remarks) == (part, [])


def test_long_ids_stay_different(tmp_path):
    rows = [json.dumps({"id": "k" * 2000 + end, "text": "x"}) for end in "ab"]
    blocks, remarks = read_bytes(tmp_path, "r.jsonl", "\n".join(rows))
    assert remarks == []
    assert len({block.part for block in blocks}) == 2
    assert max(len(block.part) for block in blocks) <= 200


def test_json_lines_of_windows_are_read(tmp_path):
    text = '{"id": 1, "text": "café"}\r\n{"id": 2, "text": "naïve"}\r\n'
    for encoding in ("utf-8-sig", "utf-16", "latin-1"):
        blocks, remarks = read_bytes(tmp_path, "r.jsonl", text.encode(encoding))
        assert shown(blocks) == [("1", "café"), ("2", "naïve")]
        assert remarks == []


def test_a_line_that_is_too_long_costs_that_line(tmp_path):
    lines = ['{"text": "one"}', '{"text": "' + "x" * (5 << 20) + '"}', '{"text": "two"}']
    blocks, remarks = read_bytes(tmp_path, "r.jsonl", "\n".join(lines))
    assert [block.text for block in blocks] == ["one", "two"]
    assert told(remarks) == [(Reason.TOO_LARGE, "line 2")]


ARRAY = """[
  {"id": 1, "text": "apples", "tags": ["a", "b"], "at": {"city": "Bern"}},
  {"id": 2,
   "text": "pears"},
  {"name": "Ann", "age": 31, "at": {"city": "Bern"}, "langs": ["de", "fr"], "none": null},
  {"name": "Bob"}
]"""


def test_the_records_of_an_array_are_documents(tmp_path):
    blocks, remarks = read_bytes(tmp_path, "a.json", ARRAY)
    assert remarks == []
    assert shown(blocks) == [
        ("1", "apples"),
        ("2", "pears"),
        (":5", "name: Ann; age: 31; at.city: Bern; langs: de, fr"),
        (":6", "name: Bob"),
    ]
    assert [block.place["line"] for block in blocks] == [2, 3, 5, 6]
    assert blocks[0].metadata == {"tags": ["a", "b"], "at": {"city": "Bern"}}
    assert blocks[2].metadata["age"] == 31
    assert blocks[2].metadata["at"] == {"city": "Bern"}


def test_records_on_one_line_have_parts_of_their_own(tmp_path):
    blocks, _ = read_bytes(tmp_path, "a.json", '[{"a": 1}, {"a": 2}, {"a": 3}]')
    assert [block.part for block in blocks] == [":1", ":1.1", ":1.2"]


def test_the_field_of_the_text_can_be_another(tmp_path):
    settings = ReadingSettings(text_field="body")
    (block,), _ = read_bytes(tmp_path, "a.json", '[{"id": 1, "body": "apples"}]', settings)
    assert (block.part, block.text) == ("1", "apples")


def test_an_object_is_its_values_and_the_records_of_its_lists(tmp_path):
    tree = {"name": "config", "a": {"b": True, "c": [1, 2]}, "people": [{"n": "Ann"}, {"n": "Bob"}]}
    blocks, _ = read_bytes(tmp_path, "a.json", json.dumps(tree))
    assert shown(blocks) == [
        ("", "name: config\na.b: true\na.c: 1, 2"),
        ("people/1", "n: Ann"),
        ("people/2", "n: Bob"),
    ]
    assert blocks[0].title == "config"


def test_what_is_no_json_is_text(tmp_path):
    for text in ('// a comment\n{"a": 1}', "{{ template }}", "{'a': 1}", "["):
        (block,), _ = read_bytes(tmp_path, "a.json", text)
        assert block.text == text


def test_an_array_that_breaks_off_keeps_what_came_before(tmp_path):
    blocks, remarks = read_bytes(tmp_path, "a.json", ARRAY[:150])
    assert shown(blocks)[:2] == [("1", "apples"), ("2", "pears")]
    assert [remark.reason for remark in remarks] == [Reason.DAMAGED]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        '{"a":' * 200_000,
        "[" + "[" * 2000 + "]" * 2000 + "]",
        "[1,2,,3]",
        '["a" "b"]',
        "[" + "1," * 100_000 + "1]",
        '{"a": ' + "9" * 5000 + "}",
        "",
        "  \n",
        "nul",
        "\ufeff[]",
    ],
    ids=str.split("arrays objects deep commas joined numbers digits empty blank nul mark"),
)
def test_strange_json_ends(tmp_path, text):
    read_bytes(tmp_path, "a.json", text)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["records", "one string", "one object"])
def test_large_json_on_one_line_is_read_in_little_memory(tmp_path, kind):
    path = tmp_path / "a.json"
    record = '{"id": %d, "text": "the cat sat on the mat and slept", "n": [1, 2, 3]}'
    with path.open("w") as file:
        if kind == "records":
            file.write("[")
            file.writelines(record % n + "," for n in range(850_000))
            file.write("{}]")
        elif kind == "one string":
            file.write('["' + "x" * (64 << 20) + '"]')
        else:
            file.write("{" + ",".join(f'"key {n}": "{n}"' for n in range(600_000)) + "}")
    tracemalloc.start()
    try:
        for count, _ in enumerate(read_file(path, ReadingSettings())):
            if count > 2000:
                break
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 160 << 20


def test_records_of_yaml_are_documents(tmp_path):
    text = "- name: Ann\n  when: 2024-01-05\n  tags: [a, b]\n- id: bob\n  text: He swims.\n"
    blocks, _ = read_bytes(tmp_path, "a.yaml", text)
    assert shown(blocks) == [
        (":1", "name: Ann; when: 2024-01-05; tags: a, b"),
        ("bob", "He swims."),
    ]
    assert [block.place["line"] for block in blocks] == [1, 4]
    assert blocks[0].metadata == {"name": "Ann", "when": "2024-01-05", "tags": ["a", "b"]}


def test_yaml_that_is_mostly_lists_of_records_is_read_by_them(tmp_path):
    text = """title: Roofs
notes:
- place: Mill Lane
  note: Slates were
    replaced.
- place: Hill House
"""
    (rest, first, second), _ = read_bytes(tmp_path, "a.yaml", text)
    assert (rest.text, rest.title) == ("title: Roofs", "Roofs")
    assert (first.text, first.title, first.headings, first.place, first.part) == (
        "place: Mill Lane; note: Slates were replaced.",
        "Roofs",
        ("notes",),
        {"line": 3},
        "notes/1",
    )
    assert second.place == {"line": 6}


def test_other_yaml_is_its_text(tmp_path):
    for text in (
        "a: 1\nb:\n  - c # why\n",
        "- a\n- b\n",
        "a: [",
        "!!python/object:os.system x",
        "&a [*a]",
    ):
        (block,), _ = read_bytes(tmp_path, "a.yml", text)
        assert (block.text, block.place) == (text, {"line": 1, "start": 0})


def test_a_yaml_bomb_is_its_text(tmp_path):
    rows = ["- a: &a0 [lol]"]
    rows += [f"- b: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    (block,), _ = read_bytes(tmp_path, "a.yaml", "\n".join(rows))
    assert block.text.startswith("- a: &a0")


@pytest.mark.parametrize("deep", ["- " * 50_000, "- a:\n" + "- " * 50_000, "[" * 5000])
def test_yaml_that_is_nested_without_end_is_its_text_and_kills_nobody(tmp_path, deep):
    blocks, _ = read_bytes(tmp_path, "a.yaml", deep)
    assert "".join(block.text for block in blocks).strip() == deep.strip()
