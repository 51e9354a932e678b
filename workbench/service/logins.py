"""Logins of the web server, few at a time in separate threads, since hashing takes time and memory."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from workbench.service.accounts import Accounts
from workbench.service.errors import LimitError
from workbench.service.limits import network

AT_A_TIME, WAITING = 2, 40
WAITING_AT_ONE_ADDRESS = 10  # so that one visitor cannot block the others


class LoginQueue:
    """A bounded queue of logins; when it is full, further logins are refused."""

    def __init__(self, accounts: Accounts):
        self._accounts = accounts
        self._pool = ThreadPoolExecutor(AT_A_TIME, "login")
        self._waiting: Counter[str] = Counter()

    async def login(
        self, name: str, password: str, address: str, browser: tuple[str, int, str] | None = None
    ) -> tuple[str, int]:
        """As :meth:`.Accounts.login`.

        Raises:
            LimitError: too many wait already.
        """
        return await self._turn(address, self._accounts.login, name, password, address, browser)

    async def change(self, owner: str, password: str, new: str) -> tuple[str, int]:
        """As :meth:`.Accounts.change_password`; failures are counted for those who are logged in there.

        Raises:
            LimitError: too many wait already.
        """
        place = f"account {owner}"
        return await self._turn(place, self._accounts.change_password, owner, password, new, place)

    async def _turn(self, address: str, do: Callable[..., tuple[str, int]], *arguments) -> tuple[str, int]:
        place = network(address)
        if self._waiting.total() >= WAITING or self._waiting[place] >= WAITING_AT_ONE_ADDRESS:
            raise LimitError("Too many people are logging in at the moment. Try again in a minute.")
        self._waiting[place] += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, do, *arguments)
        finally:
            self._waiting[place] -= 1
            self._waiting += Counter()  # drops counts of zero
