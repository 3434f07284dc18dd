"""What people can do with repositories. Renaming, moving, sharing and the trash are access's, as for every resource."""

from .checkouts import (
    commit_drafts,
    delete_file,
    discard_drafts,
    forget_branch,
    identity,
    open_checkout,
    pull,
    push_branch,
    rename_file,
    save_file,
    switch_branch,
)
from .hosted import (
    commit_node,
    create_branch,
    create_repo,
    delete_branch,
    push,
    set_default_branch,
    settle_push,
)
from .remotes import cancel_sync, change_remote, clone_repo, fetch_remote

__all__ = [
    "cancel_sync",
    "change_remote",
    "clone_repo",
    "commit_drafts",
    "commit_node",
    "create_branch",
    "create_repo",
    "delete_branch",
    "delete_file",
    "discard_drafts",
    "fetch_remote",
    "forget_branch",
    "identity",
    "open_checkout",
    "pull",
    "push",
    "push_branch",
    "rename_file",
    "save_file",
    "set_default_branch",
    "settle_push",
    "switch_branch",
]
