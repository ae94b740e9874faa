"""Floor 3: who answers. A provider joins a wire format, an address, a session and a credential."""
