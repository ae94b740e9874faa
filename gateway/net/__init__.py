"""What both sides ask of the system about sockets, names and descriptors."""
