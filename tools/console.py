"""What the tools say while they work: timed lines, a sign of life in long steps, one sentence when something is wrong.

Everything in this folder runs on the interpreter that `make` finds first, so it keeps to Python 3.8 and the standard
library.
"""

import contextlib
import subprocess
import sys
import threading
import time

STARTED = time.monotonic()
SIGN_OF_LIFE_S = 15
TAIL_LINES = 40


class Stop(Exception):
    """The work cannot go on; the message says what happened and what to do."""


def say(text):
    """Print one line with the seconds since the tool started."""
    print(f"[{time.monotonic() - STARTED:4.0f} s] {text}", flush=True)


@contextlib.contextmanager
def sign_of_life(describe):
    """While the block runs, say `describe()` every few seconds."""
    done = threading.Event()
    began = time.monotonic()

    def speak():
        while not done.wait(SIGN_OF_LIFE_S):
            say(f"  … {describe()}, {time.monotonic() - began:.0f} s")

    thread = threading.Thread(target=speak, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def run_quietly(command, doing, **options):
    """Run `command`, showing its output only if it fails.

    `doing` completes the sentence "could not …" and names the step in signs of life.
    """
    with sign_of_life(lambda: doing):
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if result.returncode != 0:
        tail = "\n".join(result.stdout.splitlines()[-TAIL_LINES:])
        raise Stop(f"could not {doing}: `{' '.join(command)}` ended with {result.returncode}:\n{tail}")
    return result.stdout


def main_with_stop(main):
    """Run a tool's `main`; a `Stop` becomes one message and exit code 1, Ctrl-C exit code 130."""
    try:
        sys.exit(main())
    except Stop as stop:
        sys.exit(f"error: {stop}")
    except KeyboardInterrupt:
        sys.exit(130)
