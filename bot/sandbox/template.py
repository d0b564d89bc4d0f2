"""Where `gitops-template/` is: beside the package in a checkout, inside it once installed."""

from pathlib import Path

import bot


def template() -> Path:
    """The folder that a team copies, and that the demo deploys from. FileNotFoundError when the package lacks it."""
    package = Path(bot.__file__).parent
    for folder in (package / "gitops_template", package.parent / "gitops-template"):
        if (folder / "promotions.yaml").is_file():
            return folder
    raise FileNotFoundError("this installation carries no gitops-template: install the package again")
