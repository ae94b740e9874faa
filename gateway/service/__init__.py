"""The gateway as a service of the system: systemd, launchd, Windows Task Scheduler, and a Windows service."""
