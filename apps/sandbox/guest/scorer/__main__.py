"""`python -m guest.scorer MODEL_FOLDER`: serve one model version until told to drain."""

import sys
from pathlib import Path

from .server import serve

serve(Path(sys.argv[1]))
