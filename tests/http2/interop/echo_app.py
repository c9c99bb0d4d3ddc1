"""An ASGI application that notes each request it has read whole, and sends it back."""

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]

_PUSHES = os.open(os.environ.get("PUSHES", os.devnull), os.O_WRONLY | os.O_CREAT | os.O_APPEND)


async def app(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Answer one request; the lifespan is none of ours."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        more = message.get("more_body", False)
    os.write(_PUSHES, f"{scope['path']} {body.decode()}\n".encode())
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-app", b"echo")]})
    await send({"type": "http.response.body", "body": body})
