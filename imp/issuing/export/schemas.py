"""The request of an export."""

from typing import Annotated

import msgspec

from imp.commands import Id
from imp.issuing.export.job import LABELS_PER_ROLL, Form, Symbol
from imp.wire import Request


class Export(Request, frozen=True, kw_only=True):
    """Write an order's codes to a file on the machine of the engine; an interrupted export of the same request goes on.

    to: absolute path of the file (images: folder) that will be made. link_prefix: what precedes each code in its link;
    without one https:// and the scan domain. digital_link: GS1 Digital Link with GTIN and lot before the code. restart:
    throw an unfinished export under that name away.
    """

    order: Id
    to: Annotated[str, msgspec.Meta(min_length=1, max_length=4_096)]
    form: Form
    symbol: Symbol = "qr"
    link_prefix: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    digital_link: bool = False
    labels_per_roll: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = LABELS_PER_ROLL
    include_frozen: bool = False
    restart: bool = False
