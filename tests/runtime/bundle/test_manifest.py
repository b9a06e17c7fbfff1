"""The manifest: what it accepts, what it refuses, and that it names the place."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeembed_runtime.bundle import (
    Bundle,
    Fidelity,
    FileEntry,
    Manifest,
    Source,
    TextTower,
    Variant,
)
from edgeembed_runtime.bundle.manifest import FORMAT_VERSION
from edgeembed_runtime.bundle.manifest_json import (
    MAX_MANIFEST_BYTES,
    manifest_from_json,
    manifest_to_json,
)
from edgeembed_runtime.errors import BundleCorruptError, BundleError, BundleVersionError

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
numbers = st.floats(allow_nan=False, allow_infinity=False)
names = st.from_regex(r"[a-z0-9_-]{1,12}\.bin", fullmatch=True)
fidelities = st.builds(
    Fidelity,
    texts=st.integers(0, 10**6),
    mean_cosine=numbers,
    min_cosine=numbers,
    max_abs_difference=numbers,
    pairs_spearman=numbers,
    retrieval_overlap=numbers,
)
variants = st.builds(
    Variant,
    name=words,
    file=names,
    requires=st.lists(words, max_size=3).map(tuple),
    recipe=words,
    fidelity=fidelities,
    speedup=numbers,
    measured_on=words,
)
entries = st.builds(FileEntry, bytes=st.integers(0, 2**60), sha256=words)


@st.composite
def manifests(draw):
    some = draw(st.lists(variants, min_size=1, max_size=4, unique_by=lambda v: v.name))
    prompts = draw(st.dictionaries(words, words, max_size=4))
    tower = TextTower(
        tokenizer=draw(names),
        max_tokens=draw(st.integers(1, 10**6)),
        prompts=prompts,
        default_prompt_name=draw(st.sampled_from([None, *prompts])),
        pooling=draw(words),
        head=tuple(draw(st.lists(words, max_size=3))),
        outputs=("embedding", *draw(st.lists(words, max_size=2))),
        variants=tuple(some),
    )
    dim = draw(st.integers(1, 4096))
    golden = draw(names)
    used = {tower.tokenizer, golden, *(variant.file for variant in some)}
    files = {name: draw(entries) for name in used}
    return Manifest(
        name=draw(words),
        space=draw(words),
        dim=dim,
        similarity=draw(st.sampled_from(["cosine", "dot", "euclidean", "manhattan"])),
        normalized=draw(st.booleans()),
        matryoshka_dims=tuple(draw(st.lists(st.integers(1, dim), max_size=3))),
        source=Source(
            id=draw(words),
            revision=draw(st.none() | words),
            weights_sha256=draw(words),
            license=draw(st.none() | words),
        ),
        text=tower,
        golden=golden,
        made_by=draw(words),
        files=files,
    )


@pytest.fixture
def tree(tiny_path):
    """The sound manifest as JSON."""
    return json.loads((tiny_path / "edgeembed.json").read_bytes())


def load(tree):
    return manifest_from_json(json.dumps(tree).encode())


def change(tree, path, value):
    """Set, or with `...` remove, what is at a path such as towers.text.dim."""
    node = tree
    *parents, last = path
    for key in parents:
        node = node[key]
    if value is ...:
        del node[last]
    else:
        node[last] = value


TEXT = ("towers", "text")
FIRST = (*TEXT, "variants", 0)
REQUIRED = [
    (("kind",), "kind"),
    (("format_version",), "format_version"),
    (("name",), "name"),
    (("space",), "space"),
    (("dim",), "dim"),
    (("similarity",), "similarity"),
    (("normalized",), "normalized"),
    (("source",), "source"),
    (("source", "id"), "source.id"),
    (("source", "weights_sha256"), "source.weights_sha256"),
    (("towers",), "towers"),
    (TEXT, "towers.text"),
    ((*TEXT, "tokenizer"), "towers.text.tokenizer"),
    ((*TEXT, "max_tokens"), "towers.text.max_tokens"),
    ((*TEXT, "variants"), "towers.text.variants"),
    ((*FIRST, "name"), "towers.text.variants[0].name"),
    ((*FIRST, "file"), "towers.text.variants[0].file"),
    ((*FIRST, "fidelity"), "towers.text.variants[0].fidelity"),
    *(
        ((*FIRST, "fidelity", field.name), f"towers.text.variants[0].fidelity.{field.name}")
        for field in dataclasses.fields(Fidelity)
    ),
    (("golden",), "golden"),
    (("files",), "files"),
    (("files", "golden.json", "bytes"), "files.golden.json.bytes"),
    (("files", "golden.json", "sha256"), "files.golden.json.sha256"),
]
OPTIONAL = [
    (("matryoshka_dims",), "matryoshka_dims"),
    (("made_by",), "made_by"),
    (("source", "revision"), "source.revision"),
    (("source", "license"), "source.license"),
    ((*TEXT, "prompts"), "towers.text.prompts"),
    ((*TEXT, "prompts", "query"), "towers.text.prompts.query"),
    ((*TEXT, "default_prompt_name"), "towers.text.default_prompt_name"),
    ((*TEXT, "pooling"), "towers.text.pooling"),
    ((*TEXT, "head"), "towers.text.head"),
    ((*TEXT, "outputs"), "towers.text.outputs"),
    ((*FIRST, "requires"), "towers.text.variants[0].requires"),
    ((*FIRST, "recipe"), "towers.text.variants[0].recipe"),
    ((*FIRST, "speedup"), "towers.text.variants[0].speedup"),
    ((*FIRST, "measured_on"), "towers.text.variants[0].measured_on"),
]


@pytest.mark.slow
@given(manifests())
def test_a_manifest_comes_back_as_it_was_written(manifest):
    assert manifest_from_json(manifest_to_json(manifest)) == manifest


@pytest.mark.slow
@given(manifests(), st.randoms(use_true_random=False))
def test_equal_manifests_give_equal_bytes_whatever_the_order_of_their_files(manifest, random):
    shuffled = list(manifest.files.items())
    random.shuffle(shuffled)
    other = dataclasses.replace(manifest, files=dict(shuffled))
    assert manifest_to_json(other) == manifest_to_json(manifest)


def test_the_written_form_is_readable_utf8_with_a_newline_at_the_end(tiny_path):
    manifest = dataclasses.replace(Bundle.open(tiny_path).manifest, name="東京")
    written = manifest_to_json(manifest)
    assert written.startswith(b'{\n  "kind": "edgeembed-bundle",\n  "format_version": 1,\n')
    assert written.endswith(b"}\n")
    assert "東京" in written.decode("utf-8")


def test_the_parts_of_a_manifest_are_frozen_and_made_by_keyword():
    for kind in (Manifest, TextTower, Variant, Fidelity, Source, FileEntry):
        assert kind.__dataclass_params__.frozen  # pyright: ignore[reportAttributeAccessIssue]
        assert all(field.kw_only for field in dataclasses.fields(kind))


def test_keys_that_it_does_not_know_are_ignored(tree):
    before = load(tree)
    for path in ((), ("source",), TEXT, FIRST, (*FIRST, "fidelity"), ("files", "golden.json")):
        change(tree, (*path, "from_the_future"), {"a": [1, 2.5, None]})
    tree["towers"]["audio"] = {"anything": True}
    assert load(tree) == before


def test_truncation_at_the_left_is_for_readers_of_format_2(tree):
    assert b"truncation_side" not in manifest_to_json(load(tree))
    tree["format_version"] = 2
    tree["towers"]["text"]["truncation_side"] = "left"
    found = load(tree)
    written = json.loads(manifest_to_json(found))
    assert written["format_version"] == 2
    assert manifest_from_json(json.dumps(written).encode()) == found


@pytest.mark.parametrize(
    ("version", "side", "message"),
    [
        (1, "left", "expected 2 or more"),
        (2, "middle", "right or left"),
        (2, None, "truncation_side"),
    ],
)
def test_a_truncation_side_must_be_known_and_not_be_ignored_by_older_readers(
    tree, version, side, message
):
    tree["format_version"] = version
    tree["towers"]["text"]["truncation_side"] = side
    with pytest.raises(BundleCorruptError, match=message):
        load(tree)


def test_a_newer_format_version_asks_for_a_newer_edgeembed(tree):
    tree["format_version"] = FORMAT_VERSION + 1
    tree["towers"] = "as nobody knows it yet"
    with pytest.raises(BundleVersionError, match=r"newer edgeembed.*format is 3.*up to 2.*upgrade"):
        load(tree)


@pytest.mark.parametrize("version", [0, -1])
def test_a_format_version_below_one_is_damage(tree, version):
    tree["format_version"] = version
    with pytest.raises(BundleCorruptError, match=f"format_version.*got {version}"):
        load(tree)


def test_another_kind_of_manifest_is_refused(tree):
    tree["kind"] = "edgeembed-index"
    with pytest.raises(BundleCorruptError, match="kind: expected 'edgeembed-bundle', got"):
        load(tree)


@pytest.mark.parametrize(("path", "where"), REQUIRED, ids=lambda value: str(value))
def test_a_missing_key_is_named(tree, path, where):
    change(tree, path, ...)
    with pytest.raises(BundleCorruptError) as caught:
        load(tree)
    assert f"manifest: {where}: expected" in str(caught.value)
    assert "got nothing" in str(caught.value)


@pytest.mark.parametrize(("path", "where"), REQUIRED + OPTIONAL, ids=lambda value: str(value))
def test_a_value_of_a_wrong_type_is_named(tree, path, where):
    change(tree, path, [{}] if path[-1] != "variants" else {"0": 1})
    with pytest.raises(BundleCorruptError) as caught:
        load(tree)
    assert f"manifest: {where}: expected" in str(caught.value)


@pytest.mark.parametrize(("path", "where"), OPTIONAL, ids=lambda value: str(value))
def test_optional_keys_may_be_missing(tree, path, where):
    change(tree, path, ...)
    load(tree)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("dim",), True),
        (("dim",), 16.0),
        (("dim",), None),
        (("normalized",), 1),
        ((*TEXT, "max_tokens"), "32"),
        ((*FIRST, "speedup"), True),
    ],
)
def test_numbers_and_truth_values_are_not_mixed_up(tree, path, value):
    change(tree, path, value)
    with pytest.raises(BundleCorruptError, match=path[-1]):
        load(tree)


def test_a_whole_number_may_stand_for_a_fraction(tree):
    change(tree, (*FIRST, "speedup"), 3)
    assert load(tree).text_tower().variants[0].speedup == 3.0


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("dim",), 0, "dim"),
        (("matryoshka_dims",), [17], "matryoshka_dims"),
        (("matryoshka_dims",), [0], "matryoshka_dims"),
        (("similarity",), "hamming", "similarity: expected one of cosine"),
        ((*TEXT, "max_tokens"), 0, "max_tokens"),
        ((*TEXT, "max_tokens"), 2**70, "max_tokens"),
        ((*TEXT, "variants"), [], "variants: expected at least one"),
        ((*TEXT, "outputs"), ["token_embeddings"], "outputs: expected 'embedding'"),
        ((*TEXT, "default_prompt_name"), "nobody", "default_prompt_name.*query.*'nobody'"),
        ((*FIRST, "name"), "int8", "variant names: expected each once"),
        ((*FIRST, "file"), "other.onnx", "'other.onnx' is used but not listed"),
        ((*TEXT, "tokenizer"), "other.json", "'other.json' is used but not listed"),
        (("golden",), "other.json", "'other.json' is used but not listed"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(tree, path, value, message):
    change(tree, path, value)
    with pytest.raises(BundleCorruptError, match=message):
        load(tree)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff\xfe\xfd",
        b"[]",
        b"null",
        b'"edgeembed-bundle"',
        b'{"kind": "edgeembed-bundle", "kind": "edgeembed-bundle"}',
        b'{"kind": "edgeembed-bundle", "x": {"a": 1, "a": 1}}',
        b'{"kind": NaN}',
        b'{"x": NaN, "kind": "edgeembed-bundle"}',
        b'{"x": -Infinity, "kind": "edgeembed-bundle"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"format_version": ' + b"9" * 5000 + b"}",
    ],
    ids=lambda data: repr(data[:40]),
)
def test_what_is_no_json_object_or_names_a_key_twice_is_damage(data):
    with pytest.raises(BundleCorruptError, match="manifest"):
        manifest_from_json(data)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" + "0" * 400])
def test_a_fraction_too_large_for_a_float_is_damage(tiny_path, number):
    text = (tiny_path / "edgeembed.json").read_text(encoding="utf-8")
    changed = text.replace('"speedup": 2.0', f'"speedup": {number}')
    assert changed != text
    with pytest.raises(BundleCorruptError, match="speedup: expected float"):
        manifest_from_json(changed.encode())


def test_a_manifest_of_more_than_a_mebibyte_is_refused_unread(tiny_path):
    data = (tiny_path / "edgeembed.json").read_bytes()
    manifest_from_json(data + b" " * (MAX_MANIFEST_BYTES - len(data)))
    with pytest.raises(BundleCorruptError, match="1048576 bytes"):
        manifest_from_json(data + b" " * (MAX_MANIFEST_BYTES - len(data) + 1))


@given(st.data())
def test_a_damaged_manifest_raises_a_bundle_error_or_loads(tiny_path, data):
    whole = (tiny_path / "edgeembed.json").read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    put = data.draw(st.binary(max_size=6) | st.sampled_from([b'"', b"null", b"1e99", b"{}", b"-"]))
    gone = data.draw(st.integers(0, 8))
    try:
        found = manifest_from_json(whole[:at] + put + whole[at + gone :])
    except BundleError:
        return
    assert manifest_from_json(manifest_to_json(found)) == found
