"""``python -m bytewright``: the command line."""

from bytewright.cli import main

if __name__ == "__main__":
    main()
