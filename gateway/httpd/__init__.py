"""The HTTP server engine: sockets, threads and WSGI. It knows core, http1 and net, and nothing else of the gateway."""
