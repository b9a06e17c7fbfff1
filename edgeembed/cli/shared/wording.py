"""Messages in the words of the command line: parameters of Python become options."""

import re
from collections.abc import Callable, Mapping

import typer
import typer.main

from edgeembed_runtime.bundle.packaged import DEFAULT

# "max_tokens: expected ..." at the start, perhaps after the group that it belongs to, as in
# "budget: mean_cosine: expected ...".
_LEADING = re.compile(r"(\w+): (?:(\w+): )?")
# "overwrite=True", "exporter='optimum'".
_ASSIGNED = re.compile(r"(?<![\w./=-])(\w+)=(True|False|None|'[^']*'|\"[^\"]*\")")
# 'Encoder.load("static")': a bundle, which commands take by its name or path.
_LOADED = re.compile(r'Encoder\.load\((?:"([^"]*)")?\)')


def option_names(command: Callable[..., object]) -> dict[str, str]:
    """The options of a command by the names of its parameters, such as max_tokens: --max-tokens."""
    app = typer.Typer(add_completion=False)
    app.command()(command)
    parameters = typer.main.get_command(app).params
    return {
        parameter.name: max(parameter.opts, key=len)
        for parameter in parameters
        if parameter.param_type_name == "option" and parameter.name not in (None, "help")
    }


def in_options(message: str, options: Mapping[str, str]) -> str:
    """The message with every parameter of `options` called by its option.

    "overwrite=True" becomes "--overwrite", "exporter='optimum'" becomes "--exporter optimum", and
    a leading "max_tokens: " becomes "--max-tokens: ". A bundle is called by the name or path that
    commands take: 'Encoder.load("static")' becomes "static", and "Encoder.load()" "default". All
    other words stay as they are.
    """
    if leading := _LEADING.match(message):
        for group in (1, 2):
            if leading[group] in options:
                rest = message[leading.end(group) :]
                message = f"{options[leading[group]]}{rest}"
                break

    def as_option(found: re.Match[str]) -> str:
        option = options.get(found[1])
        if option is None:
            return found[0]
        match found[2]:
            case "True":
                return option
            case "False" | "None":
                return f"no {option}"
            case quoted:
                return f"{option} {quoted[1:-1]}"

    message = _LOADED.sub(lambda found: found[1] or DEFAULT.name, message)
    return _ASSIGNED.sub(as_option, message)
