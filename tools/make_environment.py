"""Makes .venv from the lock files with nothing but the standard library; see ./carillon.

Usage: make_environment.py CLONE (runtime|dev). Writes only inside the clone and temporary folders.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

LOCKS = {"runtime": "requirements.txt", "dev": "requirements-dev.txt"}
STAMP = "carillon-stamp"
# These would send pip's work elsewhere; the rest, such as an index of one's own, is respected.
MISLEADING = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_REQUIREMENT", "PYTHONPATH")


def main(root: Path, kind: str) -> int:
    """Make or complete the environment; two at once wait for each other."""
    try:
        handle = os.open(root / ".venv.lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        return fail(f"the folder {root} can not be written ({error.strerror}).")
    try:
        # The lock goes with the process that holds it, however that process ends.
        fcntl.flock(handle, fcntl.LOCK_EX)
        return 0 if is_stamped(root, kind) else make(root, kind, handle)
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        return fail(f"{error.strerror}: {error.filename}.")
    finally:
        os.close(handle)


def make(root: Path, kind: str, lock: int) -> int:
    """Build the environment and write the stamp last."""
    folder = root / ".venv"
    if folder.is_symlink():
        # Whoever made it still uses it: neither its stamp nor its packages are ours to change.
        return fail(f"{folder} is a link to another's environment: remove the link, start again.")
    extending = kind == "dev" and is_stamped(root, "runtime")
    say(f"preparing {folder} for {kind} (once; about a minute) ...")
    (folder / STAMP).unlink(missing_ok=True)
    if not extending:
        shutil.rmtree(folder, ignore_errors=True)
        # The real path of Python survives a change of what the name python3 means.
        python = os.path.realpath(sys.executable)
        if run([python, "-I", "-m", "venv", str(folder)], lock) != 0:
            return fail(f"{python} could not make {folder}; see above.")
    install = ["install", "--require-hashes", "-r", str(root / LOCKS[kind])]
    if run([*pip(folder), *install], lock) != 0:
        return fail("the dependencies could not be installed; see above, then start again.")
    write_stamp(root, kind)
    say("the environment is ready.")
    return 0


def pip(folder: Path) -> list[str]:
    """Return the start of a pip command that keeps no cache and asks nothing."""
    options = ["--quiet", "--no-input", "--no-cache-dir", "--disable-pip-version-check"]
    return [str(folder / "bin" / "python"), "-I", "-m", "pip", *options]


def run(command: list[str], lock: int) -> int:
    """Run a command whose words all go to stderr, as stdout may be read by a program.

    It holds the lock too: when only we are killed, nobody starts over while it still writes.
    """
    environment = {k: v for k, v in os.environ.items() if k not in MISLEADING}
    with tempfile.TemporaryDirectory(prefix="carillon-pip-") as home:
        # Some tools write into HOME, which may be unset, or another account's.
        environment["HOME"] = environment.get("HOME") or home
        environment["XDG_CACHE_HOME"] = home
        # pip asks rustc, if there is one, for its version; rustup then writes where this says.
        environment["RUSTUP_HOME"] = environment["CARGO_HOME"] = home
        done = subprocess.run(
            command, env=environment, stdout=sys.stderr, pass_fds=(lock,), check=False
        )
        return done.returncode


def is_stamped(root: Path, kind: str) -> bool:
    """Tell whether the environment was made from the present lock, here and by its Python."""
    stamp = root / ".venv" / STAMP
    if not stamp.is_file():
        return False
    return stamp_line(root, kind) in stamp.read_text().splitlines()


def write_stamp(root: Path, kind: str) -> None:
    """Write one line per satisfied lock: the dev lock holds all that the runtime lock holds."""
    kinds = ["runtime", "dev"] if kind == "dev" else ["runtime"]
    unfinished = root / ".venv" / f"{STAMP}.new"
    unfinished.write_text("".join(f"{stamp_line(root, each)}\n" for each in kinds))
    unfinished.replace(root / ".venv" / STAMP)


def stamp_line(root: Path, kind: str) -> str:
    """Return kind, Python, checksum and size of the lock, place; ./carillon compares the same."""
    python = [str(root / ".venv" / "bin" / "python"), "-I", "-S", "-c"]
    query = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        version = subprocess.run([*python, query], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f"{kind} {version.stdout.strip()} {checksum(root, kind)} {root}"


def checksum(root: Path, kind: str) -> str:
    """Return what POSIX cksum says, as the shell entry compares it on every start."""
    with (root / LOCKS[kind]).open("rb") as lock:
        output = subprocess.run(["cksum"], stdin=lock, capture_output=True, text=True, check=True)
    return " ".join(output.stdout.split())


def say(line: str) -> None:
    """Print one line for the person who waits."""
    sys.stderr.write(f"carillon: {line}\n")
    sys.stderr.flush()


def fail(line: str) -> int:
    """Print one line and return the exit code of a failure."""
    say(line)
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
