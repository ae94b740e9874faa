"""How the tests are run. What they may use is in tests/fixtures.py.

How properties are looked for: fewer examples than Hypothesis's own, so that the suite stays quick; CI asks for the
profile `full`, and `pytest --hypothesis-profile=thorough` takes its time. No deadline, because a busy machine is no
fault of the code.
"""

import gc
import importlib
import os
import signal
import sys
import warnings
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

from tests.support.examples import FULL

settings.register_profile("quick", max_examples=12, deadline=None)
settings.register_profile("full", max_examples=FULL, deadline=None)
settings.register_profile("thorough", max_examples=1000, deadline=None)
settings.load_profile("quick")

TESTS: Final = Path(__file__).parent
ROOT: Final = TESTS.parent

# Where Python is told to write no bytecode, every process of the tests compiles the whole gateway anew, and there are
# some hundred of them.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Under nohup: a signal that is ignored here would be ignored by each process that a test starts and sends it to. One
# that is handled is not, and this process goes on too.
if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)


def pytest_configure(config: pytest.Config) -> None:
    """The fixtures import the gateway, which a process that only hands out tests to others does without."""
    if config.getoption("dist", "no") == "no":
        config.pluginmanager.import_plugin("tests.fixtures")


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """`-n auto` is a process more than there are cores: while one waits for what a test has started, others go on."""
    cores = yield
    return cores if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ else cores + 1


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """What is collected stays to the end: the garbage collector does not look through all of it again and again, and
    through what tests leave behind less often."""
    gc.disable()
    try:
        if session.config.args == session.config.getini("testpaths"):
            _share_the_compiling(int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")))
        return (yield)
    finally:
        gc.enable()
        gc.freeze()
        gc.set_threshold(10_000, 10, 10)


def _share_the_compiling(worker: int) -> None:
    """Import the test modules, each worker from another one on. In a fresh clone each so compiles its share of them,
    and finds that of the others done; in one order, all of them would compile each module at the same time."""
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in sorted(TESTS.rglob("test_*.py"))]
    first = worker * len(names) // max(1, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in names[first:] + names[:first]:
            with suppress(Exception, pytest.skip.Exception):  # it is imported again, and its fault told
                importlib.import_module(name)


def pytest_sessionfinish() -> None:
    """pytest collects garbage five times over to find what nobody has closed: what lives is looked through once."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What has passed is told in few words, which cross from process to process thirty thousand times."""
    report = yield
    if report.passed:
        report.keywords = {}
    return report
