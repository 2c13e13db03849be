"""The SDK's client, which asks GitLab who it is when somebody wants to know. Importing this module loads the SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gitlab

if TYPE_CHECKING:
    from gitlab.v4.objects import CurrentUser


class KnownClient(gitlab.Gitlab):
    """A client whose `user` is there without a call of `auth`; the first look at it is a request."""

    @property
    def user(self) -> CurrentUser | None:
        """Who the token belongs to; `None` where nobody asks, or a CI job does.

        Raises:
            gitlab.exceptions.GitlabAuthenticationError: If GitLab does not know the token.
        """
        if self._user is None and (self.private_token or self.oauth_token):
            self.auth()
        return self._user

    @user.setter
    def user(self, user: CurrentUser | None) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        self._user = user
