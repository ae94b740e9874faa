"""How the tests are run. What they may use is in tests/fixtures.py.

How properties are looked for: fewer examples than Hypothesis's own, so that the suite stays quick; CI asks for the
profile `full`, and `pytest --hypothesis-profile=thorough` takes its time. No deadline, because a busy machine is no
fault of the code.
"""

import gc
import os
import signal
import sys
from collections.abc import Generator

import pytest
from hypothesis import settings

from tests.support.examples import FULL

settings.register_profile("quick", max_examples=12, deadline=None)
settings.register_profile("full", max_examples=FULL, deadline=None)
settings.register_profile("thorough", max_examples=1000, deadline=None)
settings.load_profile("quick")

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


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays to the end: the garbage collector does not look through all of it again and again, and
    through what tests leave behind less often."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()
        gc.set_threshold(10_000, 10, 10)


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
