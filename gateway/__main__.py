"""The door: `python app.py`, `python -m gateway` and the installed `llm-gateway` all come in here."""

import signal


def main() -> None:
    """Run the command line."""
    # Until the gateway takes signals over, Ctrl-C ends the process as SIGTERM does: at once, and without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from gateway.cli import main as command_line  # noqa: PLC0415 - the imports take a moment, and that moment is meant

    command_line()


if __name__ == "__main__":
    main()
