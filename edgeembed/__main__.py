"""`python -m edgeembed` is the `edgeembed` command."""

from edgeembed.cli import main

if __name__ == "__main__":
    main()
