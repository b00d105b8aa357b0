"""`python -m annotate_select` is the same as `annotate-select`."""

from annotate_select.cli import main

if __name__ == "__main__":
    main()
