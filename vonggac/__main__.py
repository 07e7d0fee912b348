"""`python -P -m vonggac`: the command, where the script is not on the PATH."""

from vonggac.cli import main

if __name__ == "__main__":
    main()
