"""What both sides ask of the system about a socket."""
