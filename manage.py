#!/usr/bin/env python3
"""The one command: up, down, status, test, workspace create ... Run it with any Python; it finds its own environment."""

import sys

from workspace.installation.bootstrap import enter_environment

if __name__ == "__main__":
    enter_environment()
    from workspace.installation.cli import main

    sys.exit(main(sys.argv[1:]))
