"""HTTP/1.1 without a socket, both directions side by side: bytes in, values out."""
