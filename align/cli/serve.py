"""``align serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from align.cli.options.encoder_choice import EncoderChoice, takes_encoder


@takes_encoder()
def serve(
    choice: EncoderChoice,
    index: Annotated[
        list[Path] | None,
        typer.Argument(help="Folders of align index or align encode; none: embeddings alone."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; any but this machine's own is open to others.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: one that is free.")] = 8000,
    name: Annotated[
        str | None, typer.Option(help="The model's in OpenAI's API; by default that of its folder.")
    ] = None,
    query_prompt: Annotated[
        str | None, typer.Option(help='Before searches, such as "query: "; --prompt is that of /v1/embeddings.')
    ] = None,
    max_body: Annotated[int, typer.Option(min=1, help="Bytes of a request.")] = 8_000_000,
    max_texts: Annotated[int, typer.Option(min=1, help="Texts of a request.")] = 2_048,
    max_waiting: Annotated[int, typer.Option(min=1, help="Texts that wait; of more it says: try again.")] = 4_096,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Compare the indexes with their SHA-256 first.")
    ] = True,
) -> None:
    """A page to search on, and OpenAI's embeddings API, on this machine until it is stopped."""
    from align.serving.serve import check_installed, open_indexes
    from align.serving.serve import serve as start
    from align.serving.served import Limits

    check_installed()
    opened = open_indexes(index or (), verify=verify)
    start(
        choice.load(), opened, host=host, port=port, name=name, query_prompt=query_prompt,
        limits=Limits(max_body, max_texts, max_waiting),
    )  # fmt: skip
