"""`init`: looks at this machine and writes a first configuration file from what is there.

`discovery` looks (with `local_servers` for those that listen), `first_file` makes the text, `command` writes it.
"""
