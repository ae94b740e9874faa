"""The door: `python app.py`, `python -m gateway` and the installed `llm-gateway` all come in here.

An older Python, or one without the packages, is told so in one line. So this file keeps to what older ones can read.
"""

import signal
import sys

NEEDED = (3, 11)
"""The oldest version of Python that can run the gateway."""
REMEDY = "README says under Start how to make an environment. With it: .venv/bin/python app.py"
if sys.platform == "win32":
    REMEDY = REMEDY.replace(".venv/bin/python", ".venv\\Scripts\\python")


def main() -> None:
    """Run the command line."""
    version = sys.version_info[:2]
    if version < NEEDED:
        sys.exit(f"LLM Gateway needs Python 3.11 or newer; this is {version[0]}.{version[1]} ({sys.executable}).")
    # Until the gateway takes signals over, Ctrl-C ends the process as SIGTERM does: at once, and without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        from gateway.cli import main as command_line  # noqa: PLC0415 - the imports take a moment, which is meant
    except ModuleNotFoundError as fault:
        if (fault.name or "gateway").partition(".")[0] == "gateway":
            raise
        sys.exit(f"{fault.name} is not installed here ({sys.executable}). {REMEDY}")

    command_line()


if __name__ == "__main__":
    main()
