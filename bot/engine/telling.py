"""People hear of what needs them, beyond the forge: at least once, and never at the price of what is on record."""

import json
import logging
from datetime import timedelta

from bot.core import wording
from bot.core.model import ProofState, Snapshot
from bot.engine.memory import about, recall, remember
from bot.engine.reading import document
from bot.engine.verifying import NOTHING
from bot.ports import Notice, Refused, Retryable, World

log = logging.getLogger(__name__)

FAILED, NEEDS_A_PERSON, UNDECIDED = "failed", "needs a person", "undecided"
_KINDS = (FAILED, NEEDS_A_PERSON, UNDECIDED)
# So long the record waits for people to be told; after that they are told whenever the chat is back, within a day.
TELL_FIRST, TELL_STILL = timedelta(minutes=10), timedelta(days=1)


def tell(what: str, because: str, url: str | None, look: Snapshot, world: World) -> None:
    """Tell people before it is on record that they were told. Raises `Retryable` or `Refused` for a while only."""
    said = (*wording.incident(look.target, because), url)
    key = _untold(what, look)
    found = recall(world, key)
    try:
        world.notifier.tell(_notice(what, look, *said))
    except (Refused, Retryable) as problem:
        first = found[1] if found is not None and found[0] != NOTHING else None
        if first is None:
            remember(world, key, json.dumps(said), look.now)
        if look.now - (first or look.now) < TELL_FIRST:
            raise
        log.error("%s: nobody was told yet: %s", look.target.name, problem)  # noqa: TRY400 -- the sentence says it all
    else:
        if found is not None:
            remember(world, key, NOTHING, look.now)


def tell_still(look: Snapshot, world: World) -> None:
    """Tell what people could not be told when it happened, unless it serves by now. Raises nothing: the next pass comes."""
    for what in _KINDS if look.proof.state is not ProofState.LIVE else ():
        found = recall(world, _untold(what, look))
        said = document(found[0]) if found is not None else None
        if found is None or not isinstance(said, list) or look.now - found[1] > TELL_STILL:
            continue
        try:
            world.notifier.tell(_notice(what, look, *said))
        except (Refused, Retryable) as problem:
            log.warning("%s: nobody was told yet: %s", look.target.name, problem)
        else:
            remember(world, _untold(what, look), NOTHING, look.now)


def _untold(what: str, look: Snapshot) -> str:
    """The key of what people are still to be told; its value is the text, its time when that was first tried."""
    return about(look, f"untold: {what}")


def _notice(what: str, look: Snapshot, title: str, text: str, url: str | None) -> Notice:
    name = look.target.name
    return Notice(f"{name}:{look.pinned.commit}:{what}", name, title, text, url)
