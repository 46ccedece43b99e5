"""`RemoteAccess`: the caller's tokens and shares on a server."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sweepstake.codec import to_tree
from sweepstake.domain.access import Access, Role
from sweepstake.domain.addresses import called
from sweepstake.domain.names import check_name, existing_name
from sweepstake.http.operations import OPERATIONS
from sweepstake.http.session import HttpSession, Reply
from sweepstake.wire.headers import reference_headers
from sweepstake.wire.members import MadeToken, NewShare, NewToken, TokenInfo, Tokens

__all__ = ["RemoteAccess"]


class RemoteAccess:
    """Makes and revokes API tokens of the caller, and shares experiments; each call is tried once.

    Args:
        url: the server's root.
        token: API token of the role `admin`.
    """

    def __init__(self, url: str, token: str | None) -> None:
        self._session = HttpSession(url, token)

    def create_token(self, wanted: NewToken) -> MadeToken:
        """Make an API token.

        Raises:
            InvalidInputError: it would live longer than the token that asks for it.
        """
        return self._call("create_token", body=wanted).read(MadeToken)

    def list_tokens(self) -> Sequence[TokenInfo]:
        """Return the caller's tokens, oldest first."""
        return self._call("list_tokens").read(Tokens).tokens

    def revoke_token(self, token_id: str) -> None:
        """Revoke a token. Raises NotFoundError."""
        self._call("revoke_token", existing_name(token_id, "id"))

    def get_access(self, name: str) -> Access:
        """Return whose an experiment is."""
        return self._call("get_access", name).read(Access)

    def share(self, name: str, email: str, role: Role | None) -> None:
        """Let a user do with an experiment what the role allows; None: no more.

        Raises:
            InvalidInputError: no such user, or nothing to share because the experiment is everybody's or the user's.
        """
        check_name(email, "email")
        if role is None:
            self._call("unshare", name, email)
        else:
            self._call("share", name, email, body=NewShare(role))

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _call(self, operation: str, *names: str, body: object = None) -> Reply:
        asked = OPERATIONS[operation]
        text = None if body is None else json.dumps(to_tree(body))
        headers = {}
        if "{name}" in asked.path:
            headers = reference_headers(names[0])
            names = (asked.check(called(names[0]), "name"), *names[1:])
        return self._session.request(asked.method, asked.url(*names), headers, text, answers=asked.answers)
