"""Removing a folder that a guest could fill as it liked: links, closed modes, and any depth."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path


def remove_tree(folder: Path) -> None:
    """Remove a folder and all in it, following no link and going no deeper than one level at a time."""
    try:
        root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        number, mark = 0, secrets.token_hex(8)
        pending = os.listdir(root)
        while pending:
            name = pending.pop()
            if not stat.S_ISDIR(os.lstat(name, dir_fd=root).st_mode):
                os.unlink(name, dir_fd=root)
                continue
            os.chmod(name, 0o700, dir_fd=root)
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=root)
            try:
                for entry in os.listdir(inner):
                    if stat.S_ISDIR(os.lstat(entry, dir_fd=inner).st_mode):
                        # Lifted to the top, a folder of any depth is removed without recursion.
                        os.chmod(entry, 0o700, dir_fd=inner)
                        number += 1
                        lifted = f".lifted-{mark}-{number}"
                        os.rename(entry, lifted, src_dir_fd=inner, dst_dir_fd=root)
                        pending.append(lifted)
                    else:
                        os.unlink(entry, dir_fd=inner)
            finally:
                os.close(inner)
            os.rmdir(name, dir_fd=root)
    finally:
        os.close(root)
    os.rmdir(folder)
