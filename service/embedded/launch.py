"""The few steps between fork and exec that tie a child process to its parent; run as a script, imports nothing of ours.

    python -I -S launch.py PARENT_PID DEATH_SIGNAL IDENTITY NICENESS PROGRAM [ARGUMENT…]

A separate script rather than `preexec_fn`, which is not safe in a process with threads. It costs about 20 ms and keeps
the process id: the program replaces it. IDENTITY is `same`, `namespace` (a user namespace in which root looks like
`nobody`, outside it stays root and no permission has to change) or `nobody` (really becomes `nobody`).
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

NOBODY = 65534
CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1


def enter_user_namespace(libc: ctypes.CDLL) -> None:
    """Stay the same user to the rest of the system while seeing oneself as `nobody`.

    Raises:
        OSError: If the kernel or a container forbids it.
    """
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "user namespaces are not permitted here")
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{NOBODY} {group} 1", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{NOBODY} {user} 1", encoding="ascii")


def become_nobody() -> None:
    """Give up root for good."""
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def main(arguments: list[str]) -> None:
    """Set up this process as told and become the program.

    Raises:
        OSError: If the identity cannot be taken or the program cannot be run.
    """
    parent, death_signal, identity, niceness, *command = arguments
    os.nice(int(niceness))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if identity == "namespace":
            enter_user_namespace(libc)
        elif identity == "nobody":
            become_nobody()
        libc.prctl(PR_SET_PDEATHSIG, int(death_signal))  # last: a change of identity clears it
        if os.getppid() != int(parent):  # the parent died before the line above: nobody is left to serve
            sys.exit(f"{command[0]} was not started: its parent is gone")
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
