"""Which manager there is on this system."""

from pathlib import Path

from gateway.service.machine import Machine
from gateway.service.manager import ServiceManager, WrongSystem


def manager_of(platform: str, machine: Machine, log: Path, *, system: bool, account: str | None) -> ServiceManager:
    """The service manager of a system.

    Args:
        platform: as in sys.platform.
        machine: where.
        log: where a gateway without standard error tells why it does not start.
        system: whether the service belongs to the machine, and not to the user.
        account: whom a service of the machine runs as.

    Raises:
        WrongSystem: there is none of this kind.
    """
    if platform == "win32":
        return _of_windows(machine, log, system=system, account=account)
    if system or account:
        boot = "`loginctl enable-linger` has the user's service run from boot on"
        instead = boot if platform == "linux" else "a service of the user runs while the user is logged in"
        raise WrongSystem(f"--system and --account are for Windows; here {instead}")
    if platform == "linux":
        from gateway.service.systemd import SystemdManager  # noqa: PLC0415 - one of four is needed

        return SystemdManager(machine)
    if platform == "darwin":
        from gateway.service.launchd import LaunchdManager  # noqa: PLC0415 - likewise

        return LaunchdManager(machine)
    raise WrongSystem(f"no service manager is known for {platform}")


def _of_windows(machine: Machine, log: Path, *, system: bool, account: str | None) -> ServiceManager:
    if system:
        from gateway.service import windows_service  # noqa: PLC0415 - likewise
        from gateway.service.windows_system import WindowsSystemManager  # noqa: PLC0415 - likewise

        return WindowsSystemManager(machine, windows_service, account, log)
    if account:
        raise WrongSystem("--account is for a service of the machine: add --system")
    from gateway.service import stop_event  # noqa: PLC0415 - likewise
    from gateway.service.task_scheduler import TaskSchedulerManager  # noqa: PLC0415 - likewise

    return TaskSchedulerManager(machine, stop_event, log)
