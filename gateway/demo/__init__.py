"""The built-in demo provider: a small OpenAI-compatible upstream in this same process.

With it a first curl takes the whole real path without an account anywhere: the gateway's `openai` provider calls it
over a real socket, as it would call a vendor. It imports only `core`, because to the rest of the gateway it is a
foreign server.

`request` reads a request, `answers` decides on the answer, `filling` makes JSON for a schema, and `rendering` writes
OpenAI's format; these four are pure. `server` has the socket.
"""

from gateway.demo.server import DemoProvider

__all__ = ["DemoProvider"]
