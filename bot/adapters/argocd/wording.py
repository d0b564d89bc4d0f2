"""How a reading is told to people: short commits, UTC times, bounded excerpts of hostile text."""

from datetime import datetime, timedelta

from bot.adapters.argocd.reading import Application
from bot.core.telling import at, commit, excerpt
from bot.core.verdict import Evidence, Outcome, Verdict
from bot.ports import Retryable

LIMIT = 500
_LATER = timedelta(seconds=30)


def evidence(app: Application, now: datetime, outcome: Outcome) -> tuple[Evidence, ...]:
    """What was read, and the messages in it that a person would look for next."""
    asked = f"Application {excerpt(app.name, 80)}"
    messages = [message for _, message in app.errors]
    if app.operation is not None and app.operation.phase not in ("", "Succeeded"):
        messages += [app.operation.message, *app.operation.complaints]
    told = dict.fromkeys(excerpt(text, LIMIT) for text in (*messages, *app.unhealthy) if text)
    answers = [_state(app), *list(told)[:4]]
    return tuple(Evidence("argocd", asked, now, answer, outcome) for answer in answers)


def out_of_reach(application: str, problem: Exception, now: datetime) -> Verdict:
    """What is said when the Application could not be read: nothing about the claim."""
    asked = f"Application {excerpt(application, 80)}"
    seen = Evidence("argocd", asked, now, excerpt(str(problem), LIMIT), Outcome.INCONCLUSIVE)
    again = problem.after if isinstance(problem, Retryable) else None
    return Verdict(Outcome.INCONCLUSIVE, f"Argo CD: {problem}", (seen,), again=again or _LATER)


def _state(app: Application) -> str:
    operation = app.operation
    parts = [
        f"{app.sync or 'not compared'} at {commit(app.revision)}",
        f"{app.health or 'no health'} since {at(app.health_since)}",
        f"last sync {operation.phase} for {commit(operation.revision)}" if operation else "never synced",
        f"compared at {at(app.reconciled)}",
        f"pods run {', '.join(app.images) or 'no image'}",
    ]
    return excerpt("; ".join(parts), LIMIT)
