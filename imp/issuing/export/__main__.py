"""The job process: `python -m imp.issuing.export JOB_FILE`.

It opens no data directory. Keys arrive on standard input as one JSON document {"keys": [[face, slot, hex], …]} and
never touch a file; progress leaves on standard output as JSON lines. It ends when nobody reads them any more.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import msgspec

from imp.codes import SlotCipher
from imp.errors import ImpError, InvalidInput, StorageError, kind_of
from imp.issuing.export.job import ExportJob, load
from imp.issuing.export.names import Names
from imp.issuing.export.process import Failed, Finished, Keys, Line, Written
from imp.issuing.export.run import run


def ciphers(job: ExportJob, keys: Keys) -> dict[str, SlotCipher]:
    """One cipher per face of the job; InvalidInput when the keys are not the job's."""
    given = {(face, slot): bytes.fromhex(key) for face, slot, key in keys.keys}
    if set(given) != {(face.face, face.slot) for face in job.faces}:
        raise InvalidInput("keys: they are not for the faces and slots of the job")
    return {face: SlotCipher(job.format, slot, key) for (face, slot), key in given.items()}


def main(arguments: list[str], keys: BinaryIO, out: BinaryIO) -> int:
    """Run one job; returns the exit code, the same as the command line's."""

    def say(line: Line) -> None:
        out.write(msgspec.json.encode(line) + b"\n")
        out.flush()

    path = Path(arguments[0])
    try:
        job = load(path)
        encoders = ciphers(job, msgspec.json.decode(keys.read(), type=Keys))
        say(Finished(run(job, Names.of_job(path), encoders, lambda rows, count: say(Written(rows, count)))))
    except ImpError as error:
        return _refuse(say, error)
    except BrokenPipeError:
        return 1
    except OSError as error:
        return _refuse(say, StorageError(f"{error.filename or path}: {error.strerror}"))
    return 0


def _refuse(say: Callable[[Line], None], error: ImpError) -> int:
    kind = kind_of(error)
    say(Failed(kind.slug, str(error)))
    return kind.exit_code


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.nice(5)
    sys.exit(main(sys.argv[1:], sys.stdin.buffer, sys.stdout.buffer))
