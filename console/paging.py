"""How the next page of a list is fetched."""

import shlex

from console import output
from console.session import options


def show_next(cursor: str | None) -> None:
    """Print the very command that shows the next page; nothing on the last one."""
    if cursor is None:
        return
    words, given = ["bihuan"], iter(options().arguments)
    for word in given:
        if word == "--cursor":
            next(given, None)
        elif not word.startswith("--cursor="):
            words.append(word)
    if options().data is not None:
        words += ["--data", str(options().data)]
    command = shlex.join([*words, "--cursor", cursor])
    output.line(f"\n下一页：{command}", f"\nNext page: {command}")
