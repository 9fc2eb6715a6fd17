"""Read or write one stored value with another binding of RocksDB, run as a program while the engine is closed.

Arguments: directory, family, key and value in hexadecimal. Without a value the stored one is printed, without a key the
least key is; in hexadecimal. Never in the engine's process: two copies of RocksDB in one process corrupt a directory
without a word.
"""

import sys

from rocksdict import DBCompressionType, Options, Rdict


def plain_options() -> Options:
    """Bytes in, bytes out, and no compression that the engine is built without."""
    options = Options(raw_mode=True)
    options.set_compression_type(DBCompressionType.none())
    return options


def main() -> None:
    path, family, *rest = sys.argv[1:]
    key, value = [bytes.fromhex(text) for text in rest] + [None] * (2 - len(rest))
    families = {name: plain_options() for name in Rdict.list_cf(path, plain_options())}
    database = Rdict(path, plain_options(), column_families=families)
    chosen = database.get_column_family(family)
    if key is None:
        sys.stdout.write(next(iter(chosen.keys())).hex())
    elif value is None:
        sys.stdout.write(chosen[key].hex())
    else:
        chosen[key] = value
    chosen.close()
    database.close()


if __name__ == "__main__":
    main()
