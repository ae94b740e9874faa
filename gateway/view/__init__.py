"""What the page and `status` are told of the running gateway, read from its parts when it is asked for."""
