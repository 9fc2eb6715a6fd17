"""Who loads the server. Every answer is checked; a wrong verdict is counted apart from a failed request."""

import random
import uuid
from collections import Counter, deque
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from itertools import count
from typing import Any

import gevent
import msgspec
from locust import FastHttpUser, between, task
from locust.exception import StopUser

from imp.results import Answer, Lookup
from loadtest.stage import Stage
from loadtest.verdicts import FIRST, REPEAT, SAME_SESSION, Expected, difference

_PHONES = ("iPhone; CPU iPhone OS 17_5 like Mac OS X", "Linux; Android 14; Pixel 8", "Linux; Android 13; M2012K11AC")
_TIMEOUT_S = 10
_BATCH = 20
_RETRIES = 3


class Field:
    """What all users of this process share: the stage, which codes were taken, wrong verdicts by kind of request."""

    def __init__(self) -> None:
        self.stage: Stage | None = None
        self.taken = 0
        self.known: deque[str] = deque(maxlen=10_000)
        self.devices = count(1)
        self.wrong: Counter[str] = Counter()

    def take(self) -> str:
        """A code nobody has scanned; stops the user when there is none left."""
        if self.taken == len(self.there.fresh):
            raise StopUser
        self.taken += 1
        return self.there.fresh[self.taken - 1]

    @property
    def there(self) -> Stage:
        """The stage, once it is read."""
        if self.stage is None:
            raise RuntimeError("users start after the stage is read")
        return self.stage


FIELD = Field()


class Person(FastHttpUser):
    """Somebody with a phone of their own: own address, own browser, own cookie."""

    abstract = True
    connection_timeout = network_timeout = _TIMEOUT_S

    def on_start(self) -> None:
        """Pick up the phone. Its cookie is kept here: the client's own jar would lend it to other people's phones."""
        self.client.cookiejar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.headers = self.phone()
        self.cookie: str | None = None

    def phone(self) -> dict[str, str]:
        """Headers of a phone that no other user has, as a proxy passes them on."""
        number = next(FIELD.devices)
        address = f"100.{64 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
        return {
            "Host": FIELD.there.host,
            "Accept": "application/json",
            "User-Agent": f"Mozilla/5.0 ({random.choice(_PHONES)}) Load/{number}",
            "X-Forwarded-For": address,
        }

    def scan(self, kind: str, path: str, expected: Expected, headers: Mapping[str, str] | None = None) -> Answer | None:
        """Scan and check; the answer, unless something was wrong. headers: of another phone than the user's own."""
        own = headers is None
        sent = dict(self.headers if own else headers)
        if own and self.cookie:
            sent["Cookie"] = self.cookie
        with self.client.get(path, headers=sent, name=kind, catch_response=True) as response:
            if response.status_code != 200:
                response.failure(f"status {response.status_code}")
                return None
            if own and (cookie := response.headers.get("set-cookie")):
                self.cookie = cookie.split(";")[0]
            return checked(kind, response, expected)


def checked(kind: str, response: Any, expected: Expected) -> Answer | None:
    """The answer if it is as expected; otherwise the response becomes a failure and the wrong verdict is counted."""
    body = response.content or b""
    wrong = difference(body, expected)
    if wrong is not None:
        FIELD.wrong[kind] += 1
        response.failure(wrong)
        return None
    response.success()
    return msgspec.json.decode(body, type=Answer)


class Consumer(Person):
    """Scans what they bought, looks again, and scans what others have scanned before."""

    weight = 6
    wait_time = between(0.3, 1.2)

    @task(6)
    def first_scan(self) -> None:
        """A fresh code is genuine and checked for the first time."""
        code = FIELD.take()
        if self.scan("consumer: first scan", f"/{code}", FIRST):
            FIELD.known.append(code)
            self.scan("consumer: same phone again", f"/{code}", SAME_SESSION)

    @task(2)
    def digital_link(self) -> None:
        """The same as GS1 Digital Link."""
        stage, code = FIELD.there, FIELD.take()
        self.scan("consumer: digital link", f"/01/0{stage.gtin}/10/{stage.lot}/21/{code}", FIRST)

    @task(3)
    def scanned_before(self) -> None:
        """A code that somebody else scanned first is a repeat."""
        if FIELD.known:
            code = FIELD.known[0]
            FIELD.known.rotate(-1)
            self.scan("consumer: scanned before", f"/{code}", REPEAT, self.phone())

    @task(2)
    def not_usable(self) -> None:
        """Codes that are inactive, frozen, void or recalled say so."""
        state = random.choice(("inactive", "frozen", "void", "recalled"))
        self.scan("consumer: not usable", f"/{random.choice(FIELD.there.others[state])}", Expected(state))

    @task(2)
    def page(self) -> None:
        """A browser gets a page."""
        headers = {**self.headers, "Accept": "text/html"}
        with self.client.get(
            f"/{FIELD.take()}", headers=headers, name="consumer: page", catch_response=True
        ) as response:
            if response.status_code != 200 or b"<html" not in (response.content or b""):
                response.failure(f"status {response.status_code}, or no page")


class RetryingConsumer(Person):
    """Has a bad connection: the same scan is sent several times, at once or one after the other."""

    weight = 2
    wait_time = between(0.5, 1.5)

    @task(3)
    def impatient(self) -> None:
        """All retries of one phone belong to its session: each answer says first."""
        code = FIELD.take()
        retries = [
            gevent.spawn(self.scan, "retrying consumer: at once", f"/{code}", SAME_SESSION, self.headers) for _ in "abc"
        ]
        gevent.joinall(retries)

    @task(1)
    def race(self) -> None:
        """Two phones at the same instant: exactly one of them is first."""
        kind, code = "retrying consumer: two phones at once", FIELD.take()
        either = Expected("genuine"), Expected("repeat")
        asked = [gevent.spawn(self._ask, kind, code, self.phone()) for _ in either]
        gevent.joinall(asked)
        answers = [greenlet.value for greenlet in asked if greenlet.value is not None]
        if len(answers) == len(asked) and sorted(answer.is_first is True for answer in answers) != [False, True]:
            FIELD.wrong[kind] += 1

    def _ask(self, kind: str, code: str, headers: Mapping[str, str]) -> Answer | None:
        with self.client.get(f"/{code}", headers=dict(headers), name=kind, catch_response=True) as response:
            if response.status_code != 200:
                response.failure(f"status {response.status_code}")
                return None
            return msgspec.json.decode(response.content or b"", type=Answer)


class Attacker(Person):
    """Forges, enumerates and mistypes; nothing of it may ever be answered genuine."""

    weight = 1
    wait_time = between(0.05, 0.3)

    @task(4)
    def forged(self) -> None:
        """Right form, right check, wrong key."""
        self.scan("attacker: forged", f"/{random.choice(FIELD.there.others['unknown'])}", Expected("unknown"))

    @task(2)
    def mistyped(self) -> None:
        """One character changed."""
        self.scan("attacker: mistyped", f"/{random.choice(FIELD.there.others['mistyped'])}", Expected("mistyped"))

    @task(1)
    def malformed(self) -> None:
        """No code at all."""
        self.scan("attacker: malformed", f"/{random.choice(FIELD.there.others['malformed'])}", Expected("malformed"))

    @task(1)
    def without_key(self) -> None:
        """The API lets nobody in without a key."""
        body, headers = {"code": FIELD.there.others["unknown"][0]}, {"Host": FIELD.there.host}
        with self.client.post(
            "/v1/scans", json=body, headers=headers, name="attacker: without key", catch_response=True
        ) as response:
            if response.status_code == 401:
                response.success()
            else:
                response.failure(f"status {response.status_code}, expected 401")


class Integrator(FastHttpUser):
    """A marketing system that passes on its customers' scans and looks codes up."""

    weight = 1
    wait_time = between(0.2, 0.8)
    connection_timeout = network_timeout = _TIMEOUT_S

    def on_start(self) -> None:
        """Keep the API key at hand."""
        self.headers = {"Authorization": f"Bearer {FIELD.there.key}"}

    @task(3)
    def scan_and_look_up(self) -> None:
        """A scan, the same again with its idempotency key, and a look-up that finds one scan."""
        code = FIELD.take()
        request = {"code": code, "role": "consumer", "device": uuid.uuid4().hex, "idempotency_key": uuid.uuid4().hex}
        first = self._scan("integrator: scan", request)
        if first is None or self._scan("integrator: same scan again", request) is None:
            return
        kind = "integrator: look-up"
        with self.client.get(f"/v1/codes/{code}", headers=self.headers, name=kind, catch_response=True) as response:
            if response.status_code != 200:
                response.failure(f"status {response.status_code}")
                return
            found = msgspec.json.decode(response.content or b"", type=Lookup)
            scans = [face.scans for face in found.faces]
            if (found.state, scans) != ("active", [1]):
                FIELD.wrong[kind] += 1
                response.failure(f"state {found.state}, scans {scans}; expected active, [1]")

    @task(1)
    def batch(self) -> None:
        """Many scans in one request, answered in their order."""
        kind = "integrator: batch of 20"
        scans = [{"code": FIELD.take(), "role": "consumer", "device": uuid.uuid4().hex} for _ in range(_BATCH)]
        with self.client.post(
            "/v1/scans/batch", json={"scans": scans}, headers=self.headers, name=kind, catch_response=True
        ) as response:
            if response.status_code != 200:
                response.failure(f"status {response.status_code}")
                return
            answers = msgspec.json.decode(response.content or b"", type=dict[str, list[Answer]])["answers"]
            found = [(answer.code, answer.verdict, answer.is_first) for answer in answers]
            if found != [(scan["code"], "genuine", True) for scan in scans]:
                FIELD.wrong[kind] += 1
                response.failure("not every answer of the batch is genuine and first")

    def _scan(self, kind: str, request: dict[str, str]) -> Answer | None:
        with self.client.post(
            "/v1/scans", json=request, headers=self.headers, name=kind, catch_response=True
        ) as response:
            if response.status_code != 200:
                response.failure(f"status {response.status_code}")
                return None
            return checked(kind, response, FIRST)
