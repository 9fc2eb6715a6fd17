"""What the engine can be told: every command as a typed struct whose JSON is exactly what `engine.apply` takes."""

from typing import Annotated, Literal

import msgspec

from imp.errors import invalid

__all__ = [
    "Activate",
    "Command",
    "FaceSlot",
    "Freeze",
    "ImportAliases",
    "Issue",
    "OpenKeySpace",
    "Recall",
    "Replace",
    "Scope",
    "SetDomain",
    "SetProduct",
    "StateCommand",
    "Unfreeze",
    "Void",
    "encode",
]

CODES_PER_ORDER_MAX = 20_000_000
CODES_PER_LIST_MAX = 100_000
CODE_TEXT_BYTES_MAX = 64
COMMAND_BYTES_MAX = 8 << 20
"""The engine takes no larger command."""

Id = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9._-]{1,64}\Z", description="1–64 of A–Z a–z 0–9 . _ -")]
Host = Annotated[
    str, msgspec.Meta(pattern=r"\A[a-z0-9.-]{1,64}\Z", description="host name in lower case, without port")
]
EventId = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{32}\Z", description="32 hexadecimal digits, lower case")]
Nonce = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{32}\Z", description="128 random bits, 32 hexadecimal digits")]
Lot = Annotated[
    str, msgspec.Meta(pattern=r"\A[!\"%-?A-Z_a-z]{1,20}\Z", description="GS1 AI (10): 1–20 of character set 82")
]
Text = Annotated[str, msgspec.Meta(max_length=200)]
LongText = Annotated[str, msgspec.Meta(max_length=2_000)]
CodeText = Annotated[str, msgspec.Meta(min_length=1, max_length=CODE_TEXT_BYTES_MAX)]
CodeTexts = Annotated[list[CodeText], msgspec.Meta(min_length=1, max_length=CODES_PER_LIST_MAX)]
Quantity = Annotated[int, msgspec.Meta(ge=1, le=CODES_PER_ORDER_MAX)]
Link = Annotated[str, msgspec.Meta(pattern=r"\Ahttps?://[!-~]{1,2040}\Z", description="http:// or https:// address")]
Gtin = Annotated[str, msgspec.Meta(pattern=r"\A(\d{8}|\d{12}|\d{13}|\d{14})\Z", description="GTIN-8, -12, -13 or -14")]
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
Micros = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]

Format = Literal["base32", "digits"]
Face = Literal["outer", "inner"]
Level = Literal["lot", "item", "box", "case", "pallet"]
Pairing = Literal["single", "same_serial", "associated"]


class _Command(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="command"
):
    pass


class Scope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which items: a whole order, `count` items of it from index `first`, or a list of codes."""

    order: Id | None = None
    first: Annotated[int, msgspec.Meta(ge=0)] | None = None
    count: Annotated[int, msgspec.Meta(ge=1, le=CODES_PER_ORDER_MAX)] | None = None
    codes: CodeTexts | None = None

    def __post_init__(self) -> None:
        if (self.order is None) == (self.codes is None):
            raise invalid("scope", 'give either "order" or "codes"')
        if (self.first is None) != (self.count is None) or (self.first is not None and self.order is None):
            raise invalid("scope", '"first" and "count" go together and need "order"')


class FaceSlot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The slot (two clear characters, as a number) under which one face's codes live in a scan domain."""

    face: Face
    slot: Annotated[int, msgspec.Meta(ge=0, le=1_023)]


class SetDomain(_Command, frozen=True, kw_only=True, tag="set_domain"):
    host: Host


class SetProduct(_Command, frozen=True, kw_only=True, tag="set_product"):
    product: Id
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    gtin: Gtin | None = None
    name_en: Text | None = None
    brand: Text | None = None
    brand_en: Text | None = None
    recall_instructions: LongText | None = None
    link: Link | None = None


class OpenKeySpace(_Command, frozen=True, kw_only=True, tag="open_key_space"):
    """One epoch of a series. Without faces it is keyless and holds foreign codes; key and format then mean nothing."""

    series: Id
    epoch: Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
    domain: Host
    format: Format
    level: Level
    pairing: Pairing
    key_bits: Literal[128, 256]
    nonce: Nonce
    faces: Annotated[list[FaceSlot], msgspec.Meta(max_length=2)]


class Issue(_Command, frozen=True, kw_only=True, tag="issue"):
    order: Id
    series: Id
    quantity: Quantity
    product: Id | None = None
    lot: Lot | None = None
    expires_at_us: Micros | None = None
    word_list: Literal[0, 1] = 0


class ImportAliases(_Command, frozen=True, kw_only=True, tag="import_aliases"):
    order: Id
    series: Id
    texts: CodeTexts
    product: Id | None = None
    lot: Lot | None = None
    fold_case: bool = False


class _OnScope(_Command, frozen=True, kw_only=True):
    scope: Scope
    reason: Reason
    strict: bool = False


class Activate(_OnScope, frozen=True, kw_only=True, tag="activate"):
    pass


class Void(_OnScope, frozen=True, kw_only=True, tag="void"):
    pass


class Freeze(_OnScope, frozen=True, kw_only=True, tag="freeze"):
    pass


class Recall(_OnScope, frozen=True, kw_only=True, tag="recall"):
    instructions: LongText | None = None


class Unfreeze(_Command, frozen=True, kw_only=True, tag="unfreeze"):
    """Removes a hold (freeze or recall; named by its event id), wholly or for a scope.

    Without a hold it is refused and the refusal lists the holds on the scope.
    """

    reason: Reason
    hold: EventId | None = None
    scope: Scope | None = None
    strict: bool = False


class Replace(_Command, frozen=True, kw_only=True, tag="replace"):
    """old[i] becomes void and new[i] takes its lifecycle and holds.

    Pairs whose old item is void already are skipped; with strict they refuse the command.
    """

    old: CodeTexts
    new: CodeTexts
    reason: Reason
    strict: bool = False


StateCommand = Activate | Void | Freeze | Recall | Unfreeze | Replace
"""Commands on items that exist."""
Command = SetDomain | SetProduct | OpenKeySpace | Issue | ImportAliases | StateCommand
"""Every command the engine takes."""

_encoder = msgspec.json.Encoder()


def encode(command: Command) -> bytes:
    """The command's JSON as the engine takes it. Raises InvalidInput when it is larger than a command may be."""
    encoded = _encoder.encode(command)
    if len(encoded) > COMMAND_BYTES_MAX:
        raise invalid("command", f"{len(encoded)} bytes; at most {COMMAND_BYTES_MAX} are accepted, list fewer codes")
    return encoded
