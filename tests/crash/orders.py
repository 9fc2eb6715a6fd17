"""Plain model of orders: what acknowledged commands make of the state of each item."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

ISSUED, ACTIVE, VOID = "issued", "active", "void"


@dataclass
class Order:
    """One order: a lifecycle per row and the rows of each hold."""

    first_serial: int
    lifecycles: list[str]
    holds: dict[str, set[int]] = field(default_factory=dict)

    def state(self, row: int) -> str:
        """What the row counts as: void, else frozen, else its lifecycle."""
        if self.lifecycles[row] != VOID and any(row in rows for rows in self.holds.values()):
            return "frozen"
        return self.lifecycles[row]

    def by_state(self) -> dict[str, int]:
        """Rows by state, without the states that have none."""
        return dict(Counter(map(self.state, range(len(self.lifecycles)))))

    def rows(self, command: dict[str, Any]) -> list[int]:
        """Rows in the scope of a command."""
        scope = command["scope"]
        first = scope.get("first", 0)
        return list(range(first, first + scope.get("count", len(self.lifecycles))))

    def apply(self, command: dict[str, Any], event_id: str) -> None:
        """Change what an applied command changes."""
        rows = [row for row in self.rows(command) if self.lifecycles[row] != VOID or command["command"] == "unfreeze"]
        match command["command"]:
            case "activate":
                for row in rows:
                    self.lifecycles[row] = ACTIVE
            case "void":
                for row in rows:
                    self.lifecycles[row] = VOID
            case "freeze":
                self.holds[event_id] = set(rows)
            case "unfreeze":
                self.holds[command["hold"]].difference_update(rows)


class Orders:
    """All orders of the tenant, by name and by serial."""

    def __init__(self) -> None:
        self.named: dict[str, Order] = {}
        self._counts: dict[str, dict[str, int]] = {}

    def apply(self, command: dict[str, Any], event_id: str, report: dict[str, Any]) -> None:
        """Follow one command whose report says it was applied; a refused one changes nothing."""
        if report["status"] != "applied" or command["command"] in ("set_domain", "open_key_space"):
            return
        if command["command"] == "issue":
            name = command["order"]
            self.named[name] = Order(report["first_serial"], [ISSUED] * command["quantity"])
        else:
            name = command["scope"]["order"]
            self.named[name].apply(command, event_id)
        self._counts[name] = self.named[name].by_state()

    def counts(self, name: str) -> dict[str, int]:
        """Rows of an order by state, without the states that have none."""
        return self._counts[name]

    def state_of(self, order: str, serial: int) -> str:
        """State of one item of an order."""
        return self.named[order].state(serial - self.named[order].first_serial)
