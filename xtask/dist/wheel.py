"""Packs a wheel: wheel.py OUT VERSION PROGRAM CLIENT README LICENCE…

The program becomes a script, `gradtop.py` a module. Written by hand, since no build backend packs a program that it has not
built, and so that the same files give the same bytes.
"""

import base64
import hashlib
import sys
import zipfile
from pathlib import Path

TAG = "py3-none-manylinux_2_28_x86_64"
METADATA = """\
Metadata-Version: 2.4
Name: gradtop
Version: {version}
Summary: top for gradient descent: start, watch, compare and analyse neural-network training in the terminal
License-Expression: MIT OR Apache-2.0
{licences}
Requires-Python: >=3.9
Classifier: Environment :: Console
Classifier: Operating System :: POSIX :: Linux
Classifier: Topic :: Scientific/Engineering :: Artificial Intelligence
Description-Content-Type: text/markdown

{description}
"""
WHEEL = f"Wheel-Version: 1.0\nGenerator: gradtop\nRoot-Is-Purelib: false\nTag: {TAG}\n"


def main():
    out, version, program, client, readme, *licences = sys.argv[1:]
    info = f"gradtop-{version}.dist-info"
    licences = [Path(licence) for licence in licences]
    listed = "\n".join(f"License-File: {licence.name}" for licence in licences)
    metadata = METADATA.format(version=version, licences=listed, description=Path(readme).read_text(encoding="utf-8").strip())
    files = [
        ("gradtop.py", Path(client).read_bytes(), 0o644),
        (f"gradtop-{version}.data/scripts/gradtop", Path(program).read_bytes(), 0o755),
        *[(f"{info}/licenses/{licence.name}", licence.read_bytes(), 0o644) for licence in licences],
        (f"{info}/METADATA", metadata.encode(), 0o644),
        (f"{info}/WHEEL", WHEEL.encode(), 0o644),
    ]
    record = f"{info}/RECORD"
    lines = [f"{name},sha256={digest(data)},{len(data)}" for name, data, _ in files]
    files.append((record, "\n".join([*lines, f"{record},,", ""]).encode(), 0o644))
    wheel = Path(out) / f"gradtop-{version}-{TAG}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data, mode in files:
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data, compresslevel=9)
    print(wheel)


def digest(data):
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


if __name__ == "__main__":
    main()
