"""Search your own notes by meaning, from Python, offline.

Run: python examples/search_your_notes.py BUNDLE [FOLDER]

Without a folder it writes three short notes and searches those.
"""

import sys
import tempfile
from pathlib import Path

from edgeembed import Encoder, Index

NOTES = {
    "garden.md": "The tomatoes want water every morning. Cut the roses back in February.",
    "car.md": "Winter tyres are in the cellar. The next inspection is due in October.",
    "recipes.md": "Grandmother's soup: onions, two carrots, a marrow bone, three hours.",
}
QUESTIONS = ("when do I prune the flowers?", "what goes into the broth?", "vehicle check-up")


def main() -> None:
    """Index every .md file of a folder, paragraph by paragraph, and ask."""
    if len(sys.argv) < 2:
        sys.exit("usage: python examples/search_your_notes.py BUNDLE [FOLDER]")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[2]) if len(sys.argv) > 2 else write_notes(Path(temporary))
        with (
            Encoder.load(sys.argv[1]) as encoder,
            Index.create(Path(temporary) / "notes.index", encoder=encoder) as index,
        ):
            for path in sorted(folder.rglob("*.md")):
                chunks = encoder.chunk(path.read_text(encoding="utf-8"), overlap_tokens=16)
                index.upsert(
                    [f"{path.name}#{number}" for number in range(len(chunks))],
                    documents=[chunk.text for chunk in chunks],
                    metadatas=[{"file": path.name, "start": chunk.start} for chunk in chunks],
                )
            for question in QUESTIONS:
                best = index.search(question, k=1)[0]
                print(f"{question}\n  {best.score:.2f} {best.key}: {best.document}")


def write_notes(folder: Path) -> Path:
    """Write the sample notes into `folder`."""
    for name, text in NOTES.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


if __name__ == "__main__":
    main()
