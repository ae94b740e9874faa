"""The door: `python app.py` serves; `python app.py --help` tells the rest."""

import signal

# Until the gateway takes signals over, Ctrl-C ends the process as SIGTERM does: at once, and without a traceback.
signal.signal(signal.SIGINT, signal.SIG_DFL)

from gateway.cli import main  # noqa: E402 - the imports take a moment, and that moment is meant

if __name__ == "__main__":
    main()
