"""Which names of branches, tags, commits and paths we accept; pure rules, checked before git sees anything."""

from __future__ import annotations

import re

from apps.foundation.errors import Invalid

ZERO = "0" * 40
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # git knows this tree without storing it

_SHA = re.compile(r"[0-9a-f]{40}")
_SHORT_SHA = re.compile(r"[0-9a-f]{7,40}")
_REF_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")
_MAX_NAME_BYTES = 200  # a ref is a file below refs/heads, and a file name ends at 255
_MAX_PATH_BYTES = 4096


def is_sha(text: str) -> bool:
    """Whether the text is a whole object id."""
    return bool(_SHA.fullmatch(text))


def is_short_sha(text: str) -> bool:
    """Whether the text can be the beginning of an object id, seven characters at least."""
    return bool(_SHORT_SHA.fullmatch(text))


def is_ref_name(name: str) -> bool:
    """Whether the name can follow refs/heads/ or refs/tags/: git's own rules, no leading dash, bounded length."""
    if not isinstance(name, str) or not name or name == "@" or name[0] == "-":
        return False
    if name[0] == "/" or name[-1] in "/." or _REF_FORBIDDEN.search(name):
        return False
    if not 0 < _size(name) <= _MAX_NAME_BYTES:
        return False
    return all(part[0] != "." and not part.endswith(".lock") for part in name.split("/"))


def is_pushable(ref: str) -> bool:
    """Whether a client may move this ref: branches and tags only, so our own refs stay ours."""
    kind, _, name = ref.removeprefix("refs/").partition("/")
    return ref.startswith("refs/") and kind in ("heads", "tags") and is_ref_name(name)


def require_ref_name(name: str, field: str = "ref") -> str:
    """The name, or Invalid with the field's name."""
    if not is_ref_name(name):
        raise Invalid(
            f"{name!r:.120} is not a name that git allows for a branch or tag.",
            fields={field: "Not a valid name."},
        )
    return name


def require_sha(sha: str, field: str = "commit") -> str:
    """The whole object id, or Invalid."""
    if not isinstance(sha, str) or not is_sha(sha):
        raise Invalid(
            "A commit is named by its 40 hexadecimal digits.",
            fields={field: "Not a commit id."},
        )
    return sha


def is_tree_path(path: str) -> bool:
    """Whether a tree may hold this path: relative, no dots, nothing called .git in any spelling."""
    if "\x00" in path or not 0 < _size(path) <= _MAX_PATH_BYTES:
        return False
    return all(part not in ("", ".", "..") and not _is_dot_git(part) for part in path.split("/"))


def require_path(path: str, field: str = "path") -> str:
    """A path inside a tree without leading or trailing slash ('' is the root), or Invalid."""
    if not isinstance(path, str):
        raise Invalid("A path is text.", fields={field: "Not a path."})
    path = path.removesuffix("/")
    if path and not is_tree_path(path):
        raise Invalid(
            f"{path!r:.120} is not a path inside a repository.",
            fields={field: "Not a valid path."},
        )
    return path


def _size(text: str) -> int:
    """Bytes in UTF-8; 0 for text that cannot be UTF-8."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return 0


def _is_dot_git(part: str) -> bool:
    folded = part.casefold().rstrip(". ")
    return folded in (".git", "git~1")
