"""What a model answers to its own input example: asked when its image is built, compared by the bot where it is served.

python answer.py ask model > answer.json   In the environment of the image, without any credentials: the model's code
                                           runs in there. Prints the answer as JSON on one line, `null` when the
                                           model has no input example; ends with 1 and the reason as the last line of
                                           the log when it cannot be loaded or does not answer.
python answer.py keep answer.json          Where MLflow can be reached: writes the answer into the tag
                                           `gitops-bot.answer` of version MODEL_VERSION of MODEL_NAME. That it cannot
                                           be kept is said, and stops no build.
"""

import json
import os
import sys
from pathlib import Path

ANSWER_TAG = "gitops-bot.answer"
ANSWER_LIMIT = 4000  # MLflow cuts or refuses the values of tags above 5,000 characters


class Unfit(Exception):
    """The version cannot become an image; the message says why."""


def ask(model: Path) -> str | None:
    """The answer as one line of JSON; None when there is no input example. Raises Unfit."""
    from scoring import ServedModel

    served = ServedModel(model)
    try:
        served.load()
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"
        raise Unfit(f"the model does not load and answer its input example: {reason}") from error
    if served.example_answer is None:
        return None
    return json.dumps(json.loads(served.example_answer), separators=(",", ":"))


def keep(name: str, version: str, answer: str | None) -> None:
    """Tag the version with its answer, if there is one that fits into a tag."""
    if answer is None:
        say("The model has no input example: nothing to compare its answers with later")
        return
    if len(answer) > ANSWER_LIMIT:
        say(f"The answer has more than the {ANSWER_LIMIT} characters that a tag takes: it is not kept")
        return
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    try:
        MlflowClient().set_model_version_tag(name, version, ANSWER_TAG, answer)
    except MlflowException as error:
        say(f"The answer cannot be kept in the tag {ANSWER_TAG}: {error.message}")
    else:
        say(f"What it answered is kept in the tag {ANSWER_TAG}")


def say(line: str) -> None:
    """Log one line now, whatever is in it."""
    print(" ".join(line.splitlines()), file=sys.stderr, flush=True)


def _ask(model: Path) -> int:
    # Whatever the model prints goes to the log: nothing but the answer may be where the answer is expected.
    with os.fdopen(os.dup(1), "w") as only_the_answer:
        os.dup2(2, 1)
        try:
            answer = ask(model)
        except Unfit as error:
            say(f"Error: {error}")
            return 1
        only_the_answer.write(f"{answer or 'null'}\n")
    return 0


def _keep(file: Path) -> int:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        say(f"Error: {file} is not an answer ({type(error).__name__})")
        return 1
    answer = None if document is None else json.dumps(document, separators=(",", ":"))
    keep(os.environ["MODEL_NAME"], os.environ["MODEL_VERSION"], answer)
    return 0


def main() -> int:
    """Do what the command line says."""
    commands = {"ask": _ask, "keep": _keep}
    if len(sys.argv) != 3 or sys.argv[1] not in commands:
        say("Usage: python answer.py ask MODEL_FOLDER | keep ANSWER_FILE")
        return 2
    return commands[sys.argv[1]](Path(sys.argv[2]))


if __name__ == "__main__":
    sys.exit(main())
