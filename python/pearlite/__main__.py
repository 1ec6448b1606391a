"""Run the command line: `python -m pearlite`."""

from pearlite.cli import main

if __name__ == "__main__":
    main()
