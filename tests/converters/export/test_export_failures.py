"""What cannot be exported is refused with its cause, and nothing is printed."""

import sys
import threading

import pytest
import torch

from edgeembed import convert
from edgeembed_converters._internal.quiet import quiet_export
from edgeembed_runtime.errors import ExportError

MAX_TOKENS = 20


class Counter(torch.nn.Module):
    """A part whose control flow depends on the ids."""

    def forward(self, tokens):
        return tokens * 2 if int((tokens > 0).sum()) % 2 else tokens


class WithPart(torch.nn.Module):
    def __init__(self, toy, part):
        super().__init__()
        self.toy, self.part = toy, part

    def forward(self, input_ids, attention_mask):
        return self.part(self.toy(input_ids, attention_mask))


class MaskedByHand(torch.nn.Module):
    """`1.0 - mask` of an integer mask, as XLNet computes it."""

    def __init__(self, toy):
        super().__init__()
        self.toy = toy

    def forward(self, input_ids, attention_mask):
        tokens = self.toy(input_ids, attention_mask)
        return tokens - 7 * (1.0 - attention_mask).unsqueeze(-1)


@pytest.mark.slow
def test_the_part_that_cannot_be_exported_is_named(toy, toy_tokenizer, tmp_path, capfd):
    module = WithPart(toy, Counter()).eval()
    with pytest.raises(ExportError) as caught:
        convert(module, tmp_path / "bundle", tokenizer=toy_tokenizer, max_tokens=MAX_TOKENS)
    message = str(caught.value)
    assert "depend on the input's values in Counter.forward (test_export_failures.py" in message
    assert "step 1/3" not in message
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_integers_subtracted_from_a_number(toy, toy_tokenizer, tmp_path):
    module = MaskedByHand(toy).eval()
    report = convert(module, tmp_path / "bundle", tokenizer=toy_tokenizer, max_tokens=MAX_TOKENS)
    assert report.variants[0].fidelity.min_cosine > 0.99999


def test_another_threads_output_is_not_hidden(capsys):
    with quiet_export():
        print("hidden")
        print("hidden", file=sys.stderr)
        other = threading.Thread(target=lambda: print("shown"))
        other.start()
        other.join()
    assert capsys.readouterr() == ("shown\n", "")
