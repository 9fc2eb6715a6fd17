"""Image form: one QR or Data Matrix symbol per code, as PNG or SVG, holding the code's link."""

# zxing-cpp does not type its keyword arguments.
# pyright: reportUnknownMemberType=false

import struct
import zlib

import numpy as np
import zxingcpp

from imp.issuing.export.job import ExportJob
from imp.issuing.export.rows import Bytes2, Chunk

_MODULE_PIXELS = 8
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def images(job: ExportJob, chunk: Chunk) -> list[tuple[str, bytes]]:
    """(file name, content) per face and item, sorted by name; names start with the index in the order."""
    width = len(str(job.span - 1))
    files: list[tuple[str, bytes]] = []
    for face, codes in zip(job.faces, chunk.codes, strict=True):
        suffix = "" if len(job.faces) == 1 else f"-{face.face}"
        for index, code in zip(chunk.index.tolist(), codes, strict=True):
            text = code.tobytes().decode("ascii")
            files.append((f"{index:0{width}}{suffix}-{text}.{job.form}", _symbol(job, job.link_prefix + text)))
    return sorted(files)


def _symbol(job: ExportJob, content: str) -> bytes:
    if job.symbol == "qr":
        barcode = zxingcpp.create_barcode(content, zxingcpp.BarcodeFormat.QRCode, ec_level="M")
    else:
        barcode = zxingcpp.create_barcode(content, zxingcpp.BarcodeFormat.DataMatrix, force_square=True)
    if job.form == "svg":
        return barcode.to_svg(add_quiet_zones=True).encode()
    return grey_png(np.asarray(barcode.to_image(scale=_MODULE_PIXELS, add_quiet_zones=True)))


def grey_png(pixels: Bytes2) -> bytes:
    """An 8-bit greyscale PNG (ISO/IEC 15948): header, one deflated stream of unfiltered lines, end."""
    height, width = pixels.shape
    lines = np.zeros((height, width + 1), dtype=np.uint8)
    lines[:, 1:] = pixels
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return _PNG_SIGNATURE + b"".join(_png_chunk(kind, data) for kind, data in chunks)


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
