"""Starts and stops one copy of everything on this machine: servers, our programs and the sandbox.

`stage` is one copy, `servers` are PostgreSQL and Redis, `programs` finds their executables, `server_files`
keeps their folders, `children` runs one process, `leash` ends it with its parent, `state` stores what a copy
keeps between starts, `wire_tap` proxies a connection.
"""
