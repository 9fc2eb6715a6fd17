"""What a measurement says: a value, its interval, its goal, and its peers of the same run."""

from typing import Literal

import msgspec

from bench.spread import Spread

Durability = Literal["none", "wal", "durable", ""]
"""What is safe when the time is taken. none: nothing. wal: in the journal, survives SIGKILL; flushed to disk within
50 ms. durable: flushed to disk. Empty: nothing is written at all."""


class Goal(msgspec.Struct, frozen=True):
    """A bound, inclusive."""

    bound: float
    kind: Literal["at least", "at most"]

    def is_met_by(self, value: float) -> bool:
        """Whether a value keeps the bound."""
        return value >= self.bound if self.kind == "at least" else value <= self.bound

    def __str__(self) -> str:
        """≥ or ≤, and the bound."""
        bound = f"{self.bound:,.0f}" if self.bound >= 1_000 else f"{self.bound:g}"
        return f"{'≥' if self.kind == 'at least' else '≤'} {bound}"


def at_least(bound: float) -> Goal:
    """A floor."""
    return Goal(bound, "at least")


def at_most(bound: float) -> Goal:
    """A ceiling."""
    return Goal(bound, "at most")


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """Something else that was measured in the same run. goal: about the figure divided by this."""

    name: str
    value: float
    durability: Durability = ""
    ratio: float
    goal: Goal | None = None


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement.

    unit: of value, spread, goal and peers. method: what exactly was done, with the command where one was run.
    headline: belongs into the README.
    """

    name: str
    value: float
    unit: str
    durability: Durability = ""
    spread: Spread | None = None
    goal: Goal | None = None
    peers: list[Peer] = []
    method: str = ""
    notes: list[str] = []
    headline: bool = False

    def beside(
        self,
        name: str,
        value: float,
        *,
        durability: Durability = "",
        ratio: float | None = None,
        goal: Goal | None = None,
    ) -> "Figure":
        """The same figure with one more peer; ratio: where it was taken round by round."""
        shown = ratio if ratio is not None else self.value / value if value else 0.0
        peer = Peer(name=name, value=value, durability=durability, ratio=shown, goal=goal)
        return msgspec.structs.replace(self, peers=[*self.peers, peer])

    @property
    def is_met(self) -> bool:
        """Whether every goal of the figure is met."""
        own = self.goal is None or self.goal.is_met_by(self.value)
        return own and all(peer.goal is None or peer.goal.is_met_by(peer.ratio) for peer in self.peers)
