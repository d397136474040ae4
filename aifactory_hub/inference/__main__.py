"""``python -m aifactory_hub.inference``."""

import sys

from .main import main

sys.exit(main())
