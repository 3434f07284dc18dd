"""Git repositories hosted here: branches, tags, commits, trees, files and diffs, and the door for the git client."""
