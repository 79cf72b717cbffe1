"""Writes the licences of every crate that is linked into some packages.

Reads `cargo metadata` on standard input, takes the names of the packages as arguments, prints the text. No network: the
texts lie in the crates themselves.
"""

import json
import re
import sys
from pathlib import Path

TEXT = re.compile(r"(licen[cs]e|copying|copyright|notice|ofl|ufl)", re.IGNORECASE)
PLAIN = (".txt", ".md", "")


def linked(metadata, names):
    """The packages that the named ones are linked from: no build scripts, tests or macros."""
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    members = set(metadata["workspace_members"])
    waiting = [id for id in members if packages[id]["name"] in names]
    missing = set(names) - {packages[id]["name"] for id in waiting}
    if missing:
        sys.exit(f"no such package: {', '.join(sorted(missing))}")
    found = set()
    while waiting:
        package = packages[waiting.pop()]
        kinds = {kind for target in package["targets"] for kind in target["kind"]}
        if package["id"] in found or "proc-macro" in kinds:
            continue
        found.add(package["id"])
        for dependency in nodes[package["id"]]["deps"]:
            if any(kind["kind"] is None for kind in dependency["dep_kinds"]):
                waiting.append(dependency["pkg"])
    foreign = [packages[id] for id in found if id not in members]
    return sorted(foreign, key=lambda package: (package["name"], package["version"]))


def texts(package):
    """The licence files of a crate, also of sources from elsewhere that it holds."""
    folder = Path(package["manifest_path"]).parent
    for path in sorted(folder.rglob("*")):
        deep = len(path.relative_to(folder).parts)
        if path.is_file() and deep <= 3 and TEXT.search(path.stem) and path.suffix.lower() in PLAIN:
            yield path.relative_to(folder), path.read_text(encoding="utf-8", errors="replace").strip()


def main():
    packages = linked(json.load(sys.stdin), sys.argv[1:])
    print("gradtop is made with the software below. Each part keeps its own licence.\n")
    print("Rust's standard library: MIT OR Apache-2.0, The Rust Project Contributors <https://www.rust-lang.org>")
    shared = {}  # text -> who has it
    for package in packages:
        who = f"{package['name']} {package['version']}"
        print(f"{who}: {package['license']}{', ' + package['repository'] if package['repository'] else ''}")
        for path, text in texts(package):
            shared.setdefault(text, []).append(f"{who} ({path})")
    for text, owners in shared.items():
        print("\n" + "=" * 100 + "\n" + "\n".join(owners) + "\n" + "-" * 100 + "\n\n" + text)


if __name__ == "__main__":
    main()
