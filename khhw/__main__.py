"""``python -m khhw`` is the command ``khhw``."""

import sys

from khhw.cli import main

sys.exit(main())
