"""The directory of service users: which roles each of them has. Spec: SEC (users and their roles)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from smetslab.duis.codes import UserRole
from smetslab.errors import RegistryError
from smetslab.ids import Eui64


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A service user. A suspended one stays known but is refused."""

    party: Eui64
    roles: tuple[UserRole, ...]
    suspended: bool = False


class UserDirectory:
    """Every service user by its EUI."""

    def __init__(self, users: Iterable[User] = ()) -> None:
        """Raises RegistryError when a user is there twice."""
        self._users: dict[Eui64, User] = {}
        for user in users:
            if user.party in self._users:
                raise RegistryError(f"user {user.party} is listed twice", rule="unique")
            self._users[user.party] = user

    def find(self, party: Eui64) -> User | None:
        """The user with that EUI, None when there is none."""
        return self._users.get(party)

    def replace(self, user: User) -> None:
        """Put `user` in place of what was known about it."""
        self._users[user.party] = user
