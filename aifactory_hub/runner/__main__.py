"""``python3 -m aifactory_hub.runner``: run this pod's job."""

import sys

from .main import main

sys.exit(main())
