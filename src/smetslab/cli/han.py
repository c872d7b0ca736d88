"""`smetslab han`: the home network, and captures of it, ours or from the air."""

from __future__ import annotations

import typer

from smetslab.cli import han_decode, han_inject, han_show

app = typer.Typer(help="The home network, and captures of it.", no_args_is_help=True)


@app.callback()
def _noun() -> None:
    pass


app.command("decode")(han_decode.decode)
app.command("show")(han_show.show)
app.command("keys")(han_show.keys)
app.command("inject")(han_inject.inject)
