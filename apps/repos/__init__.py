"""Git repositories hosted here: repo, branch, tag, commit, tree, file, diff, push; and the door for the git client."""
