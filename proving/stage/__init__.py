"""Starts one copy of everything on this machine: servers, our programs and the sandbox, each on a leash, and
stops it all again.

`stage` is one copy; `servers` are PostgreSQL and Redis, `programs` finds them, `server_files` keeps their
folders; `children` is one process, `leash` ends it with us; `state` is what a copy remembers; `wire_tap`
stands on the wire between two of them.
"""
