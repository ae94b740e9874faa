"""The door: `python app.py` serves; `python app.py --help` tells the rest."""

from gateway.__main__ import main

if __name__ == "__main__":
    main()
