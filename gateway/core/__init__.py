"""The lowest layer: the neutral form of a chat, all errors, and pure parsers. No I/O, no threads, no global clock."""
