"""CompressAI, which imports torchvision, can be imported beside a CPU build of torch."""

import subprocess
import sys

_PROGRAM = """
from edgestill.vision_operators import declare_vision_operators
declare_vision_operators()
declare_vision_operators()
import torchvision
from compressai.entropy_models import EntropyBottleneck
print(EntropyBottleneck(2).channels)
"""


def test_compressai_is_imported_after_the_operators_are_declared_even_twice():
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stdout.split() == ["2"], done.stderr
