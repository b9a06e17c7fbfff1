"""transformers' image processors that work on Pillow's images, in versions 4 and 5."""

import transformers

VERSION_5 = int(transformers.__version__.split(".")[0]) >= 5


def processor_of(name, **settings):
    """A processor by the name that both versions know it by."""
    return getattr(transformers, f"{name}Pil" if VERSION_5 else name)(**settings)


def saved_processor(directory):
    """The processor of a directory."""
    which = {"backend": "pil"} if VERSION_5 else {"use_fast": False}
    return transformers.AutoImageProcessor.from_pretrained(directory, **which)
