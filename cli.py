"""`python cli.py …` is `pixelbench …`, for a checkout that is not installed."""

from pixelbench.cli.main import main

if __name__ == "__main__":
    main()
