"""The variables that Windows gives to a program which no terminal has started: those in the registry."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from gateway.service.machine import Machine

USER: Final = r"HKCU\Environment"
SYSTEM: Final = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment"
_VALUE: Final = re.compile(r"REG_(?:EXPAND_)?SZ[ \t]+(\S.*)")


def registered(machine: Machine, names: Sequence[str], *keys: str) -> Mapping[str, str]:
    """Those of the variables that stand in the registry, with their values.

    Args:
        machine: asks the registry.
        names: of variables.
        keys: USER, SYSTEM, or both; the first that has a variable counts.
    """
    found = {}
    for name in names:
        for key in keys:
            told = machine.ask("reg", "query", key, "/v", name)
            value = _VALUE.search(told.output)
            if told.code == 0 and value:
                found[name] = value[1].strip()
                break
    return found
