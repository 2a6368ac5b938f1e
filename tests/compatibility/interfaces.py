"""What is asked of the interfaces themselves: commands and options, addresses and fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from asking import ANY, command_line, mien, serving


def interface() -> Any:
    """Return every address of the server, its parameters and the fields of its answers."""
    with serving() as ask:
        document = ask("GET", "/openapi.json")[1]
    schemas = document["components"]["schemas"]
    found = {}
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            answers = [row for status, row in told["responses"].items() if status[0] == "2"]
            if "204" in told["responses"]:  # the only one that 0.1.0 knew, where there are two now
                answers = [told["responses"]["204"]]
            found[f"{method.upper()} {path}"] = {
                "parameters": {each["name"]: each["in"] for each in told.get("parameters", ())},
                "answer": [_fields_of(answer, schemas) for answer in answers],
            }
    return found


def _fields_of(answer: Any, schemas: Any) -> dict[str, str]:
    content = answer.get("content", {}).get("application/json", {}).get("schema", {})
    name = content.get("$ref", "").rpartition("/")[2]
    return dict.fromkeys(schemas.get(name, {}).get("properties", {}), ANY)


def exit_codes() -> Any:
    """Return how commands end that cannot do what they are asked."""
    photo = "photos/new/ada.png"
    asked = (
        ("recognize", "none.onnx", photo),
        ("recognize", "photos/people.csv", photo),
        ("recognize", "recognizers/prototype.onnx", "none.png"),
        ("recognize", "recognizers/prototype.onnx", "photos/zhang/broken.png", photo),
        ("recognize", "sealed", photo),
        ("recognize", "none", photo),
        ("recognize", "recognizers/prototype.onnx", photo, "--none"),
        ("gallery", "show", "photos"),
        ("gallery", "show", "gallery", "Nobody"),
        ("gallery", "create", "gallery", "--from", "dataset"),
        ("gallery", "add", "gallery", "Nobody", "photos/new/nobody.png"),
        ("gallery", "import", "sealed.mien-gallery", "copy"),
        ("dataset", "show", "photos"),
        ("train", "photos", "-o", "new.onnx"),
        ("train", "dataset"),
        ("models", "show", "none"),
        ("models", "pull"),
        ("ship", "check", "photos", photo),
        ("keys", "revoke", "none", "--data", "server"),
        ("serve", "none.onnx", "--data", "server", "--port", "0"),
    )
    return {" ".join(arguments): mien(*arguments)[0] for arguments in asked}


def commands(names: Sequence[str] = ()) -> Any:
    """Return the arguments and options of commands, by each command's whole name.

    Args:
        names: of commands; all that are listed if empty.
    """
    import click

    found: dict[str, Any] = {}
    for name in names or _listed(click.Context(command_line())):
        context = click.Context(command_line())
        for word in name.split():
            _, command, _ = context.command.resolve_command(context, [word])
            context = click.Context(command, info_name=word, parent=context)
        params = context.command.params
        found[name] = {
            "arguments": [[each.nargs, each.required] for each in params
                          if isinstance(each, click.Argument)],
            "options": {
                text: _option_row(each)
                for each in params
                if isinstance(each, click.Option)
                for text in (*each.opts, *each.secondary_opts)
            },
        }  # fmt: skip
    return found


def _listed(context: Any) -> list[str]:
    """Return the names of all commands below one, its own as the empty name first."""
    names = [""]
    for word in getattr(context.command, "list_commands", lambda _: [])(context):
        command = context.command.get_command(context, word)
        below = type(context)(command, info_name=word, parent=context)
        names += [f"{word} {name}".strip() for name in _listed(below)]
    return names


def _option_row(option: Any) -> dict[str, Any]:
    """Return how an option is written on the command line."""
    choices = getattr(option.type, "choices", ())
    return {
        "flag": bool(option.is_flag),
        "multiple": option.multiple,
        "required": option.required,
        "choices": {str(getattr(choice, "value", choice)): True for choice in choices},
    }
