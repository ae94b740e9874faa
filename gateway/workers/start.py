"""What a worker is told at its start, and what all workers are told whenever it changes. Values that go as JSON."""

import msgspec


class Known(msgspec.Struct, frozen=True):
    """What all workers know.

    Attributes:
        absent: the workers that do not serve now; the others accept their connections.
        degraded: whether workers keep dying.
        reloads: how reloads have ended; its form is not known here.
    """

    absent: tuple[int, ...]
    degraded: bool
    reloads: bytes


class Start(msgspec.Struct, frozen=True):
    """What a worker needs to serve.

    Attributes:
        count: of all workers.
        sockets: the descriptors of the listening sockets, for each worker its own.
        path: of the configuration file.
        first: its text when the gateway was started; the settings that need a restart are read from it.
        text: its text now.
        generation: of it.
        host, port: what the command line says over the file.
        page_token: stands for a key, for the person who runs the gateway.
        folder: where the workers keep what they share.
        known: as of now.
    """

    count: int
    sockets: tuple[tuple[int, ...], ...]
    path: str
    first: bytes
    text: bytes
    generation: int
    host: str | None
    port: int | None
    page_token: str
    folder: str
    known: Known


class Prepare(msgspec.Struct, frozen=True):
    """What a worker is to build: a text, and its generation."""

    text: bytes
    generation: int
