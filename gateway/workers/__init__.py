"""Several workers on one machine: what they are, how they hear of each other, and what the parent knows of them.

A parent process serves nothing: it holds the listening sockets, starts equal workers, watches them, and carries what
they ask of each other. Only `siblings`, the contract, is imported where one process serves alone. This folder knows no
route, no configuration and no call; gateway.parent and gateway.worker put it together with them.
"""
