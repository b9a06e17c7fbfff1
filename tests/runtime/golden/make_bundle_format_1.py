"""Make tests/runtime/golden/bundle-format-1. Run once, when format 1 was published.

What it wrote is never written again: a later edgeembed must read the bundle that an earlier one
made. A format 2 gets a script and a folder of its own. Needs PYTHONPATH=tests.
"""

from pathlib import Path

from helpers import tiny_bundle

if __name__ == "__main__":
    target = Path(__file__).with_name("bundle-format-1")
    print(tiny_bundle.write_tiny_bundle(target, name="bundle format 1"))
