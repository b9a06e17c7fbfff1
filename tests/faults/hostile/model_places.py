"""Changes of a model directory that put another thing, or a payload, in a file's place."""

import json
import os
import pickle
import random
import shutil
import socket
import stat
from pathlib import Path
from typing import Any

import torch

SECRET = "CANARY-SECRET-7731"
# Files that something reads; whether they are there depends on the kind of model.
NAMES = (
    "config.json",
    "modules.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "adapter_config.json",
    "adapter_model.safetensors",
    "preprocessor_config.json",
    "processor_config.json",
    "generation_config.json",
    "README.md",
    "LICENSE",
    "NOTICE",
    "chat_template.jinja",
    "additional_chat_templates",
    "1_Pooling",
    "1_Pooling/config.json",
    "2_Dense",
    "2_Dense/config.json",
    "2_Dense/model.safetensors",
    "spiece.model",
    "merges.txt",
    "vocab.json",
    "router_config.json",
    "artifact.metadata",
)


class Payload:
    """Whoever unpickles it writes the file that no one may write."""

    def __init__(self, canary: Path) -> None:
        self._canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self._canary), "w")


def _file(model: Path, chance: random.Random) -> Path:
    """The place of a file that mostly is there."""
    there = [name for name in NAMES if (model / name).exists()]
    name = chance.choice(there if chance.random() < 0.75 and there else NAMES)
    path = model / name
    if not path.parent.is_dir():
        path = model / path.name
    return path


def _away(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def special_file(model: Path, outside: Path, chance: random.Random) -> str:
    """A FIFO, socket, device or folder where a file is expected."""
    path = _file(model, chance)
    _away(path)
    kind = chance.choice(("fifo", "fifo", "socket", "folder", "device"))
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        short = Path(f"/proc/self/fd/{os.open(path.parent, os.O_RDONLY)}")
        try:
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(str(short / path.name))
        finally:
            os.close(int(short.name))
    else:
        try:
            os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 5))
        except PermissionError:
            path.symlink_to("/dev/zero")
    return f"{kind} as {path.name}"


def link_outside(model: Path, outside: Path, chance: random.Random) -> str:
    """A file that is a link to another place; what is there has the secret."""
    path = _file(model, chance)
    target = outside / path.name
    if path.is_dir():
        shutil.copytree(path, target, dirs_exist_ok=True)
    elif path.is_file() and chance.random() < 0.7:
        shutil.copy(path, target)
    else:
        target = outside / "secret.txt"
    _away(path)
    how = chance.choice(("absolute", "relative", "through a folder", "twice", "absent"))
    if how == "relative":
        path.symlink_to(os.path.relpath(target, path.parent))
    elif how == "through a folder":
        _away(path.parent / "linked")
        (path.parent / "linked").symlink_to(outside)
        path.symlink_to(Path("linked") / target.name)
    elif how == "twice":
        _away(path.parent / "first link")
        (path.parent / "first link").symlink_to(target)
        path.symlink_to("first link")
    else:
        path.symlink_to(target if how == "absolute" else outside / "nothing")
    return f"link to another place ({how}) as {path.name}"


def link_loop(model: Path, outside: Path, chance: random.Random) -> str:
    """A link to itself, or to the folder it is in."""
    path = _file(model, chance)
    _away(path)
    path.symlink_to(chance.choice((path.name, ".", "..", "/", "/proc/self/mem", "/dev/stdin")))
    return f"link to {path.readlink()} as {path.name}"


def sparse(model: Path, outside: Path, chance: random.Random) -> str:
    """A file that goes on for gigabytes."""
    path = _file(model, chance)
    if path.is_symlink() or (path.exists() and not path.is_file()):
        return "nothing"
    with path.open("ab") as file:
        file.truncate(chance.choice((3 << 30, 100 << 30, 70 << 20, 9 << 20)))
    return f"sparse {path.name}"


def unreadable(model: Path, outside: Path, chance: random.Random) -> str:
    """A file or a folder that may not be read."""
    path = chance.choice((_file(model, chance), model))
    if path.exists():
        path.chmod(0)
    return f"unreadable {path.name}"


def pickled(model: Path, outside: Path, chance: random.Random) -> str:
    """A payload where weights, tokens or settings are read."""
    name, weights = chance.choice(
        (
            ("pytorch_model.bin", "model.safetensors"),
            ("model.safetensors", None),
            ("adapter_model.bin", "adapter_model.safetensors"),
            ("2_Dense/pytorch_model.bin", "2_Dense/model.safetensors"),
            ("model.safetensors.index.json", "model.safetensors"),
            ("tokenizer.json", None),
            ("spiece.model", "tokenizer.json"),
            ("tokenizer.model", "tokenizer.json"),
            ("training_args.bin", None),
        )
    )
    path = model / name
    if not path.parent.is_dir() or (path.exists() and not is_plain(path)):
        return "nothing"
    if weights:
        _away(model / weights)
    if name.endswith(".index.json"):
        shards = {"embeddings.word_embeddings.weight": "evil.bin"}
        path.write_text(json.dumps({"metadata": {}, "weight_map": shards}), encoding="utf-8")
        path = model / "evil.bin"
    payload = Payload(outside / "code ran")
    if chance.random() < 0.5:
        torch.save({"linear.weight": payload, "x": torch.zeros(2)}, path)
    elif chance.random() < 0.5:
        torch.save({"x": payload}, path, _use_new_zipfile_serialization=False)
    else:
        path.write_bytes(pickle.dumps(payload, protocol=chance.randrange(5)))
    return f"pickle as {path.relative_to(model)}"


def own_code(model: Path, outside: Path, chance: random.Random) -> str:
    """Classes that the model brings, with their code or without it."""
    code = f"open({str(outside / 'code ran')!r}, 'w').close()\n"
    for name in ("evil.py", "torch.py", "sitecustomize.py", "usercustomize.py", "numpy.py"):
        (model / name).write_text(code, encoding="utf-8")
    if chance.random() < 0.2:
        _away(model / "evil.py")
    reference = chance.choice(
        ("evil.Made", "somebody/else--evil.Made", "../outside/evil.Made", "os.system", "evil", "")
    )
    name = chance.choice(
        (
            "config.json",
            "tokenizer_config.json",
            "preprocessor_config.json",
            "processor_config.json",
        )
    )
    classes = ("AutoConfig", "AutoModel", "AutoTokenizer", "AutoImageProcessor", "AutoProcessor")
    value: object = dict.fromkeys(classes, reference)
    if chance.random() < 0.2:
        value = [reference, reference]
    change_json(model / name, {"auto_map": value})
    if chance.random() < 0.5:
        change_json(model / "config.json", {"model_type": "evil"})
    if chance.random() < 0.3:
        change_json(model / "tokenizer_config.json", {"tokenizer_class": "EvilTokenizer"})
    if chance.random() < 0.4 and is_plain(model / "modules.json"):
        entries = _modules(model)
        chance.choice(entries)["type"] = chance.choice(
            (
                "evil.Made",
                "subprocess.Popen",
                "os.system",
                "sentence_transformers.util.x",
                "sentence_transformers.models.Nothing",
                "sentence_transformers...x",
                "builtins.exec",
            )
        )
        (model / "modules.json").write_text(json.dumps(entries))
    return f"own code {reference!r} in {name}"


def traversal(model: Path, outside: Path, chance: random.Random) -> str:
    """Paths in JSON that lead out of the model."""
    shutil.copy(outside / "secret.txt", outside / "config.json")
    where = chance.choice(
        (
            str(outside),
            "../outside",
            "1_Pooling/../../outside",
            "/etc",
            "..",
            "\0",
            "a\nb",
            "~",
            "nothing",
            "//",
            "." * 300,
            "x/" * 3000,
        )
    )
    what = chance.choice(
        ("modules.json", "index", "adapter", "tokenizer_config.json", "_name_or_path")
    )
    if what == "modules.json" and is_plain(model / what):
        entries = _modules(model)
        chance.choice(entries)["path"] = where
        (model / what).write_text(json.dumps(entries), encoding="utf-8")
    elif what == "index":
        _away(model / "model.safetensors")
        index = {"metadata": {}, "weight_map": {"a": f"{where}/model.safetensors", "b": "b.bin"}}
        change_json(model / "model.safetensors.index.json", index)
    elif what == "adapter":
        change_json(
            model / "adapter_config.json", {"peft_type": "LORA", "base_model_name_or_path": where}
        )
    elif what == "tokenizer_config.json":
        names = ("vocab_file", "tokenizer_file", "merges_file", "name_or_path", "chat_template")
        change_json(model / what, dict.fromkeys(names, where))
    else:
        names = ("_name_or_path", "name_or_path", "transformers_weights", "encoder", "base_model")
        change_json(model / "config.json", {chance.choice(names): where})
    return f"traversal {where[:20]!r} in {what}"


def odd_names(model: Path, outside: Path, chance: random.Random) -> str:
    """Files whose names a terminal or an encoder does not take."""
    name = chance.choice(
        (
            b"\x1b[31mred\x07.json",
            b"a\nb.safetensors",
            b"\xff\xfe.json",
            b"\xed\xa0\x80.txt",
            b"..\\..\\x.py",
            b"x" * 250,
            "\u202egnp.txt".encode(),
            b"LICENSE\x1b]0;x\x07",
            b"sentence_\x1b[2J_config.json",
            b"[a-z]*.index.json",
        )
    )
    folder = chance.choice((model, *(path for path in model.iterdir() if path.is_dir())))
    with open(os.fsencode(folder) + b"/" + name, "wb") as file:  # noqa: PTH123 (bytes)
        file.write(chance.choice((b"", b"{}", b"[", b"\xff")))
    return f"file named {name[:30]!r}"


def many_files(model: Path, outside: Path, chance: random.Random) -> str:
    """Thousands of files, or folders in folders."""
    if chance.random() < 0.5:
        for number in range(3000):
            (model / f"{number}.json").write_bytes(b"{}")
        return "3,000 files"
    deep = model / ("d/" * 300)
    deep.mkdir(parents=True)
    return "300 folders deep"


def hub_cache(model: Path, outside: Path, chance: random.Random) -> str:
    """A snapshot whose files are links to blobs; one may lead out of the cache."""
    blobs = model.parent / "blobs"
    blobs.mkdir()
    snapshot = model.parent / "snapshots" / "0123abcd"
    for number, path in enumerate(sorted(p for p in model.rglob("*") if p.is_file())):
        blob = blobs / f"{number:040x}"
        place = snapshot / path.relative_to(model)
        place.parent.mkdir(parents=True, exist_ok=True)
        path.rename(blob)
        place.symlink_to(os.path.relpath(blob, place.parent))
    shutil.rmtree(model)
    what = chance.choice(("sound", "blob is a link", "blob is a fifo", "blob is absent"))
    blob = chance.choice(sorted(blobs.iterdir()))
    if what != "sound":
        blob.unlink()
    if what == "blob is a link":
        blob.symlink_to(outside / "secret.txt")
    if what == "blob is a fifo":
        os.mkfifo(blob)
    model.symlink_to(snapshot)
    return f"cache of the Hub, {what}"


def _modules(model: Path) -> list[dict[str, Any]]:
    """The entries of modules.json, or one that goes nowhere."""
    try:
        tree = json.loads((model / "modules.json").read_bytes())
    except (ValueError, RecursionError):
        tree = None
    found = [each for each in tree if isinstance(each, dict)] if isinstance(tree, list) else []
    return found or [{"idx": 0, "name": "0", "path": "", "type": "x.Y"}]


def change_json(path: Path, changes: dict[str, Any]) -> None:
    """Change keys of a JSON object, as far as it is one."""
    if not is_plain(path) and (path.exists() or path.is_symlink()):
        return
    try:
        tree = json.loads(path.read_bytes()) if path.exists() else {}
    except (ValueError, RecursionError):
        return
    if isinstance(tree, dict) and path.parent.is_dir():
        path.write_text(json.dumps({**tree, **changes}), encoding="utf-8")


def is_plain(path: Path) -> bool:
    """Whether it is a file that an earlier change left as one, of ordinary size."""
    return path.is_file() and not path.is_symlink() and path.stat().st_size < 1 << 24
