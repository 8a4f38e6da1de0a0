"""`python -m undercroft`."""

from __future__ import annotations

from undercroft.cli.main import main

if __name__ == "__main__":
    main()
