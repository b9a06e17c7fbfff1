"""Names of the inputs, outputs and axes of a bundle's graphs (docs/reference/bundle-format.md)."""

INPUT_IDS = "input_ids"
ATTENTION_MASK = "attention_mask"
TEXT_INPUTS = (INPUT_IDS, ATTENTION_MASK)
"""(batch, tokens) int64 each."""

PIXEL_VALUES = "pixel_values"
IMAGE_INPUTS = (PIXEL_VALUES,)
"""(batch, 3, height, width) float32."""

EMBEDDING = "embedding"
"""The output of every graph: (batch, dim) float32."""
TOKEN_EMBEDDINGS = "token_embeddings"
"""An optional output of text towers: (batch, tokens, width) float32."""

BATCH_AXIS, TOKEN_AXIS = "batch", "tokens"
