"""Code encoders, as their authors publish and use them, by their real architectures.

CodeBERT and GraphCodeBERT: RoBERTa with `vocab.json` and `merges.txt`, of which the first token is
the vector (https://github.com/microsoft/CodeBERT). UniXcoder: the same with the mean of all tokens,
and `<encoder-only>` in front. CodeT5+ embedding: code of its own around a T5 encoder.
"""

import json

import pytest
import torch

from edgeembed_converters.conversion import convert
from edgeembed_runtime.encoder.encoder import Encoder

pytestmark = pytest.mark.slow

POSITIONS = 64
CODE = (
    "def retry(self, name: str) -> bool:\n    return self.client.put(name)",
    "def retry(self, name: str) -> bool:\n\treturn self.client.put(name)  ",
    "for (let i = 0; i < n; i++) { x[i] += 'é' }",
    "// 名前\nfunc (s *Server) Handle() {}",
    "x",
    "if a:\n    b = c + d\n" * 40,
)


def saved(tiny, kind, head):
    """A directory of RoBERTa as the first code encoders have it: vocabulary and merges apart."""
    from transformers import AutoModel, RobertaConfig, RobertaForMaskedLM

    source = tiny.transformers("roberta", layers=2, positions=POSITIONS, limit=POSITIONS)
    directory = tiny.new_path(kind)
    config = RobertaConfig.from_pretrained(source)
    torch.manual_seed(3)
    made = RobertaForMaskedLM(config) if head else AutoModel.from_config(config)
    made.eval().save_pretrained(directory)
    tokenizer = json.loads((source / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    for added in tokenizer["added_tokens"]:
        vocabulary.setdefault(added["content"], added["id"])
    merges = [" ".join(m) if isinstance(m, list) else m for m in tokenizer["model"]["merges"]]
    (directory / "vocab.json").write_text(json.dumps(vocabulary))
    (directory / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    settings = {"model_max_length": POSITIONS, "tokenizer_class": "RobertaTokenizer"}
    (directory / "tokenizer_config.json").write_text(json.dumps(settings))
    return directory


def last_hidden_states(directory, texts, prefix=""):
    """Transformers' own, of one text at a time, with its own truncation."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
    model = AutoModel.from_pretrained(directory, local_files_only=True).eval()
    with torch.no_grad():
        for text in texts:
            inputs = tokenizer(
                prefix + text, truncation=True, max_length=POSITIONS, return_tensors="pt"
            )
            yield model(**inputs).last_hidden_state[0]


@pytest.mark.parametrize(("kind", "head"), [("codebert", False), ("graphcodebert", True)])
def test_the_first_token_of_codebert_is_its_vector(tiny, kind, head, assert_same_vectors):
    directory = saved(tiny, kind, head)
    report = convert(str(directory), str(tiny.new_path("bundle")), pooling="cls")
    assert (report.pooling, report.max_tokens) == ("cls", POSITIONS)
    expected = [states[0].numpy() for states in last_hidden_states(directory, CODE)]
    with Encoder.load(report.path) as encoder:
        assert_same_vectors(expected, list(encoder.encode(list(CODE))))


def test_unixcoder_says_what_it_is_asked_in_front_and_takes_the_mean(tiny, assert_same_vectors):
    directory = saved(tiny, "unixcoder", head=False)
    # A special token of the vocabulary, as <encoder-only> is one of UniXcoder's.
    prompt = "<mask></s>"
    report = convert(
        str(directory),
        str(tiny.new_path("bundle")),
        pooling="mean",
        prompts={"query": prompt, "document": prompt},
    )
    states = list(last_hidden_states(directory, CODE, prompt))
    with Encoder.load(report.path) as encoder:
        found = list(encoder.encode_query(list(CODE)))
        assert_same_vectors([each.mean(0).numpy() for each in states], found)
        assert_same_vectors(found, list(encoder.encode_document(list(CODE))))


class CodeT5Plus(torch.nn.Module):
    """What the own code of Salesforce/codet5p-110m-embedding does.

    The first token of a T5 encoder, projected, at unit length.
    """

    def __init__(self, vocabulary):
        from transformers import T5Config, T5EncoderModel

        super().__init__()
        config = T5Config(
            vocab_size=vocabulary, d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2
        )
        self.encoder = T5EncoderModel(config)
        self.proj = torch.nn.Linear(32, 12)

    def forward(self, input_ids, attention_mask):
        found = self.encoder(input_ids=input_ids, attention_mask=attention_mask)
        return torch.nn.functional.normalize(self.proj(found.last_hidden_state[:, 0]), dim=-1)


def test_codet5_plus_is_converted_as_the_live_module_that_its_code_makes(tiny, assert_same_vectors):
    source = tiny.transformers("roberta", layers=2, positions=POSITIONS, limit=POSITIONS)
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=True)
    torch.manual_seed(5)
    model = CodeT5Plus(len(tokenizer)).eval()
    report = convert(
        model,
        str(tiny.new_path("bundle")),
        tokenizer=source / "tokenizer.json",
        max_tokens=POSITIONS,
        name="codet5p",
    )
    expected = []
    with torch.no_grad():
        for text in CODE:
            inputs = tokenizer(text, truncation=True, max_length=POSITIONS, return_tensors="pt")
            expected.append(model(inputs["input_ids"], inputs["attention_mask"])[0].numpy())
    with Encoder.load(report.path) as encoder:
        assert encoder.dim == 12
        assert_same_vectors(expected, list(encoder.encode(list(CODE))))
