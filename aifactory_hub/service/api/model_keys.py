"""Keys that sign statements of models, and the chain of those statements."""

from __future__ import annotations

from ...signing.keys import CustodyError, KeyFacts
from ...store.statements import read_chain
from ..errors import ServiceError, unavailable
from ..executors import uploads
from ..model_answer_types import ChainAnswer, KeyAnswer, KeyList
from ..model_request_types import Revocation
from ..models.signatures import custody_words
from .base import Handler, run_sync
from .model_answers import key_answer
from .operations import Access, operation


class Keys(Handler):
    """The public parts."""

    @operation(
        "listModelKeys",
        "The public keys that statements of models are signed with.",
        answer=KeyList,
        access=Access.NOBODY,
    )
    async def get(self) -> None:
        """For everybody: a key is to be compared with what was written down elsewhere."""
        await self.begin("strangers")
        found = await run_sync(self.context.models.signatures.keys)
        self.answer({"keys": [key_answer(key) for key in found.values()]})

    @operation(
        "rotateModelKey",
        "Sign with a new key from now on; what the former ones have signed stays good.",
        answer=KeyAnswer,
        statuses=(201,),
    )
    async def post(self) -> None:
        """For the hub's administrators."""
        caller = await self.administrator(fresh=True)
        try:
            made: KeyFacts = await uploads.run(self.context.models.signatures.rotate, caller.name)
        except CustodyError as error:
            raise unavailable("signing-unavailable", custody_words(error)) from error
        self.answer(key_answer((await run_sync(self.context.models.signatures.keys))[made.id]), 201)


class Revoke(Handler):
    """Takes a key's word away."""

    @operation(
        "revokeModelKey",
        "Believe nothing that a key has signed: its versions can't be promoted until they are signed anew.",
        answer=KeyAnswer,
        body=Revocation,
    )
    async def post(self, key: str) -> None:
        """For the hub's administrators. Again, nothing happens."""
        caller = await self.administrator(fresh=True)
        asked, signatures = await self.body(Revocation, caller.name), self.context.models.signatures
        try:
            await uploads.run(signatures.revoke, key, caller.name, asked.reason)
        except CustodyError as error:
            raise unavailable("signing-unavailable", custody_words(error)) from error
        found = (await run_sync(signatures.keys)).get(key)
        if found is None:
            raise ServiceError(404, "unknown-key", f"There is no key {key!r}.", field="key")
        self.answer(key_answer(found))


class Chain(Handler):
    """All statements."""

    @operation("verifyStatements", "Whether every statement of models is as it was written.", answer=ChainAnswer)
    async def get(self) -> None:
        """For the hub's administrators. It reads all of them."""
        await self.administrator()
        found = await uploads.run(read_chain, self.context.models.registry.db)
        self.answer(
            {
                "ok": found.problem is None,
                "statements": found.statements,
                "head": found.head,
                "problem": found.problem,
            }
        )
