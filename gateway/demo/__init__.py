"""The built-in demo provider: a small OpenAI-compatible upstream in this same process.

It is here so that a first curl walks the whole real path without an account anywhere: the gateway's `openai` provider
calls it over a real socket, as it would call a vendor. It stands on the top floor beside the commands that start it and
imports only `core`, because to the rest of the gateway it is somebody else's server.

`request` reads what was asked, `answers` decides, `filling` makes JSON for a schema, `rendering` gives OpenAI's shape;
all four are pure. `server` holds the socket.
"""

from gateway.demo.server import DemoProvider

__all__ = ["DemoProvider"]
