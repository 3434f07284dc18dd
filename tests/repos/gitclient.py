"""A person's own git for tests: a working copy driven by the real binary, away from the machine's configuration."""

import subprocess
from pathlib import Path

WHO = {
    "GIT_AUTHOR_NAME": "Ines",
    "GIT_AUTHOR_EMAIL": "ines@example.com",
    "GIT_COMMITTER_NAME": "Ines",
}
ALONE = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "HOME": "/nonexistent",
}


class GitError(AssertionError):
    """The client said no; its words are the message."""


class WorkingCopy:
    """A checkout in a folder of its own."""

    def __init__(self, folder: Path, **env: str) -> None:
        self.folder = folder
        self.env = {
            "PATH": "/usr/bin:/bin",
            "GIT_COMMITTER_EMAIL": "ines@example.com",
            **WHO,
            **ALONE,
            **env,
        }
        folder.mkdir(parents=True, exist_ok=True)

    def git(self, *argv: str, seconds: float = 60) -> str:
        """What git printed; GitError with both streams when it failed."""
        done = subprocess.run(
            ["git", *argv],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            check=False,
            timeout=seconds,
        )
        if done.returncode:
            raise GitError((done.stdout + done.stderr).decode(errors="replace"))
        return done.stdout.decode(errors="replace").strip()

    def commit(self, message: str, files: dict[str, str | bytes | None]) -> str:
        """Write (None: remove) files, commit them and return the commit's id."""
        for name, text in files.items():
            path = self.folder / name
            if text is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", message)
        return self.git("rev-parse", "HEAD")


def working_copy(folder: Path, **env: str) -> WorkingCopy:
    """A new repository on branch main."""
    copy = WorkingCopy(folder, **env)
    copy.git("init", "--quiet", "--initial-branch=main")
    return copy
