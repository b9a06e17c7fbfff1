"""The search index: documents and their vectors in a directory, crash-safe, read while written.

Where things happen:

- an index is opened, searched and written through `index.py`;
- a commit happens in `catalog/catalog.py` (`Catalog.writing`), the only commit point; `write/`
  calls it for upserts (`commit.py`) and for sealing, merging and compaction (`compaction.py`);
- a query is checked in `search/query.py`, ranked in `dense.py` and `keyword.py`, fused in
  `fusion.py`, and turned into hits in `execute.py`;
- recall is calibrated in `ann/calibration.py`, and the ANN backend of a segment chosen in
  `ann/selection.py`; `ann/registry.py` lists the backends;
- the files are described in docs/reference/index-format.md and named in `base/layout.py`.
"""
