"""`python -m pixelbench`: the command line, where no script of that name is on the path."""

from pixelbench.cli.main import main

if __name__ == "__main__":
    main()
