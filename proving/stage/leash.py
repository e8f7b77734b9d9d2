"""Starts one program that dies with its parent, and that may run as an ordinary user.

A script of the standard library, run as `python -I -S leash.py PARENT SIGNAL UID GID PROGRAM [ARGUMENT…]`,
because doing this between fork and exec of a process with threads may deadlock. `-` for PARENT, UID or GID
leaves that one alone.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Changes the user, binds the process to its parent, and executes the program."""
    parent, signum, uid, gid, *command = arguments
    if uid != "-":
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    if sys.platform == "linux":
        # Only now: changing the user resets the death signal.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
        if parent != "-" and os.getppid() != int(parent):
            sys.exit("leash: the parent went before the child began")
    os.execv(command[0], command)  # noqa: S606  # becoming another program is the whole purpose


if __name__ == "__main__":
    main(sys.argv[1:])
