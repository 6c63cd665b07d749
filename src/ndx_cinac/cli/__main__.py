"""Run the command line as ``python -m ndx_cinac.cli``."""

import sys

from .program import main

sys.exit(main())
