"""What callers will notice: two model signatures compared, field by field."""

from dataclasses import dataclass
from enum import StrEnum

from bot.core.model import Field, Signature


class Change(StrEnum):
    """How much callers must care, mildest first."""

    SAME = "same"
    WIDENED = "widened"  # everything that worked goes on working
    UNKNOWN = "unknown"  # one of the two logged no signature
    BREAKING = "breaking"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that differs: `side` is input or output, `change` what that means, `said` the sentence (hostile name apart)."""

    side: str
    name: str
    change: Change
    said: str


# What MLflow's schema enforcement accepts without loss: an input may be sent as the narrower type and is cast up.
_WIDER = {
    ("integer", "long"), ("integer", "double"), ("float", "double"), ("int32", "int64"),
    ("int32", "float64"), ("float32", "float64"),
}  # fmt: skip


def compare(old: Signature | None, new: Signature | None) -> tuple[Change, tuple[FieldChange, ...]]:
    """The overall change and every field that differs, inputs first.

    Inputs may gain optional fields, lose requirements and take wider types; outputs may gain fields. Everything else
    breaks some caller. Without both signatures nothing can be said.
    """
    if old is None or new is None or old.inputs is None or new.inputs is None:
        return Change.UNKNOWN, ()
    changes = [*_inputs(old.inputs, new.inputs), *_outputs(old.outputs or (), new.outputs or ())]
    order = list(Change)
    worst = max((change.change for change in changes), key=order.index, default=Change.SAME)
    return worst, tuple(changes)


def _inputs(old: tuple[Field, ...], new: tuple[Field, ...]) -> list[FieldChange]:
    before, after = {f.name: f for f in old}, {f.name: f for f in new}
    changes = [
        FieldChange("input", name, Change.WIDENED, "is no longer read")
        for name in before
        if name not in after
    ]
    for name, field in after.items():
        was = before.get(name)
        if was is None:
            verdict = Change.BREAKING if field.required else Change.WIDENED
            said = f"is new and {'required' if field.required else 'optional'} ({field.type})"
            changes.append(FieldChange("input", name, verdict, said))
        elif was.type != field.type:
            wider = (was.type, field.type) in _WIDER
            verdict = Change.WIDENED if wider else Change.BREAKING
            changes.append(FieldChange("input", name, verdict, f"was {was.type}, is {field.type}"))
        elif was.required != field.required:
            verdict = Change.BREAKING if field.required else Change.WIDENED
            said = "is now required" if field.required else "is now optional"
            changes.append(FieldChange("input", name, verdict, said))
    return changes


def _outputs(old: tuple[Field, ...], new: tuple[Field, ...]) -> list[FieldChange]:
    before, after = {f.name: f for f in old}, {f.name: f for f in new}
    changes = [
        FieldChange("output", name, Change.BREAKING, "is no longer answered")
        for name in before
        if name not in after
    ]
    for name, field in after.items():
        was = before.get(name)
        if was is None:
            changes.append(FieldChange("output", name, Change.WIDENED, f"is new ({field.type})"))
        elif was.type != field.type:
            changes.append(FieldChange("output", name, Change.BREAKING, f"was {was.type}, is {field.type}"))
    return changes
