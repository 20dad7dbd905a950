"""`filmloop completion`: what makes the Tab key know the commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

WHERE = {
    "bash": 'eval "$(filmloop completion bash)" in ~/.bashrc',
    "zsh": 'eval "$(filmloop completion zsh)" in ~/.zshrc',
    "fish": "filmloop completion fish > ~/.config/fish/completions/filmloop.fish",
}


@click.command("completion")
@click.argument("shell", type=click.Choice(list(WHERE)))
@click.pass_context
def completion_command(ctx: click.Context, shell: str) -> None:
    r"""Print a script that completes commands and options in SHELL.

    \b
    bash: eval "$(filmloop completion bash)"   in ~/.bashrc
    zsh:  eval "$(filmloop completion zsh)"    in ~/.zshrc
    fish: filmloop completion fish > ~/.config/fish/completions/filmloop.fish
    """
    root = ctx.find_root()
    found = get_completion_class(shell)
    if found is None:
        raise click.ClickException(f"no completion for {shell}")
    click.echo(found(root.command, {}, "filmloop", "_FILMLOOP_COMPLETE").source())
