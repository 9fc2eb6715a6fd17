"""How many users there are when."""

from typing import Final

import msgspec


class Shape(msgspec.Struct, frozen=True):
    """Points (share of the run, share of the users); between them users come and go evenly."""

    points: tuple[tuple[float, float], ...]

    def users(self, elapsed: float, users_max: int) -> int:
        """Users at a share of the run, at least one."""
        for (from_at, from_share), (to_at, to_share) in zip(self.points, self.points[1:], strict=False):
            if elapsed <= to_at:
                way = (elapsed - from_at) / (to_at - from_at)
                return max(round(users_max * (from_share + way * (to_share - from_share))), 1)
        return max(round(users_max * self.points[-1][1]), 1)


SHAPES: Final = {
    "steady": Shape(((0.0, 0.0), (0.1, 1.0), (1.0, 1.0))),
    "ramp": Shape(((0.0, 0.0), (0.8, 1.0), (1.0, 1.0))),
    "spike": Shape(((0.0, 0.0), (0.1, 0.2), (0.4, 0.2), (0.45, 1.0), (0.7, 1.0), (0.8, 0.2), (1.0, 0.2))),
}
"""spike: a campaign begins, and five times as many people scan within seconds."""
