"""The credentials that calls to providers carry: keys, logins, tokens and the files they are kept in.

`tokens/` and `oauth/` are below the modules here. How a credential is sent is the providers' task.
"""
