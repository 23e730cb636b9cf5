"""``bihuan openapi``: the document of the HTTP API."""

import sys


def command() -> None:
    """输出 HTTP 接口的 OpenAPI 3.1 文档（JSON）。

    Print the OpenAPI 3.1 document of the HTTP API as JSON.
    """
    from console.api.document import text

    sys.stdout.write(text())
