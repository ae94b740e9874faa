"""The providers that answer. A provider joins a wire format, an address, a session and a credential."""
