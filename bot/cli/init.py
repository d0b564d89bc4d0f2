"""Begin a manifests repo: write the template with the names of one team."""

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.cli.exits import USAGE
from bot.cli.shell import everywhere
from bot.cli.text import safe

if TYPE_CHECKING:
    from bot.cli.init_answers import CI, Answers, GitOps

_SHOWN = 10


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--model", help="The registered model in MLflow, such as fraud-detector.")
@click.option("--image", help="Its image without a tag, such as ghcr.io/acme/fraud-detector.")
@click.option(
    "--gitops", type=click.Choice(["argocd", "flux"]), help="What applies the manifests (default: argocd)."
)
@click.option("--ci", type=click.Choice(["github", "azure"]), help="What builds images (default: github).")
@click.option("--repo", help="The repo at GitHub, such as https://github.com/acme/manifests.git.")
@click.option("--domain", help="Hosts are below it, such as mlflow.example.com (default: nobody's).")
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
@everywhere
@click.pass_context
def init(ctx: click.Context, /, folder: Path, force: bool, **options: str | None) -> None:
    """Write a manifests repo into DIR, made for production.

    Asks for what is left out when it runs in a terminal; elsewhere --model, --image and --repo must be given. Writes
    every file or, when one is there that says something else, none.
    """
    from bot.cli.init_tree import Occupied, tree, write
    from bot.sandbox.template import template

    answers = _answers(options)
    files = tree(template(), answers)
    try:
        write(folder, files, force=force)
    except Occupied as occupied:
        click.echo(safe(_occupied(folder, occupied.paths, force=force)), err=True)
        ctx.exit(USAGE)
    except OSError as error:
        raise click.UsageError(safe(f"{folder} cannot be written: {error.strerror or error}.")) from error
    click.echo(safe(_next(folder, len(files), answers)))


def _answers(options: dict[str, Any]) -> "Answers":
    """What was given, and what a person says to the rest. A value of an option that is wrong is an error of usage."""
    from bot.cli.init_answers import NOBODYS, Answers, kubernetes_name
    from bot.config import answers as held

    missing = [f"--{option} is missing" for option in ("model", "image", "repo") if options[option] is None]
    if missing and not sys.stdin.isatty():
        raise click.UsageError(f"{', '.join(missing)}, and there is no terminal to ask in.")
    checks = {"model": held.model, "repo": held.repository, "image": held.image, "domain": held.domain}

    def answer(option: str, question: str, default: str | None = None) -> Any:
        return _held(option, question, options[option], checks[option], default)

    for option in checks:  # nobody is asked anything before it is known that what was given will do
        if options[option] is not None:
            answer(option, "")
    model = answer("model", "Model in MLflow, such as fraud-detector")
    url, host, repository = answer(
        "repo", "This repo at GitHub, such as https://github.com/acme/manifests.git"
    )
    gitops: GitOps = _chosen("What applies the manifests", options["gitops"], ("argocd", "flux"))
    ci: CI = _chosen("What builds images", options["ci"], ("github", "azure"))
    usual = f"ghcr.io/{repository.partition('/')[0].lower()}/{kubernetes_name(model)}"
    at_github = (host, ci) == ("github.com", "github")
    image = answer("image", "Image of the model, without a tag", usual if at_github else None)
    domain = answer("domain", "Domain that its hosts are below", NOBODYS)
    return Answers(model, image, url, host, repository, gitops, ci, domain)


def _held(
    option: str, question: str, given: str | None, check: Callable[[str], Any], default: str | None = None
) -> Any:
    from bot.config.answers import BadAnswer

    if given is None and not sys.stdin.isatty():
        given = default
    while True:
        try:
            return check(given if given is not None else click.prompt(question, default=default))
        except BadAnswer as bad:
            if given is not None:
                raise click.UsageError(safe(f"--{option}: {bad}")) from bad
            click.echo(safe(str(bad)), err=True)


def _chosen(question: str, given: str | None, choices: tuple[str, str]) -> Any:
    if given is not None or not sys.stdin.isatty():
        return given or choices[0]
    return click.prompt(question, type=click.Choice(choices), default=choices[0])


def _occupied(folder: Path, paths: list[str], *, force: bool) -> str:
    shown = "\n".join(f"  {folder / path}" for path in paths[:_SHOWN])
    more = f"\n  and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    how = "Not even --force writes through a link or over a folder." if force else "--force overwrites them."
    return f"Nothing was written, as these are there already:\n{shown}{more}\n{how}"


def _next(folder: Path, count: int, answers: "Answers") -> str:
    there = shlex.quote(str(folder))
    overlay = shlex.quote(str(folder / "apps/inference-service/overlays/production"))
    push = f"git init -qb main && git add . && git commit -qm Start && git push {shlex.quote(answers.url)} HEAD:main"
    return "\n".join(
        [
            f"{count} files are in {folder}. In Kubernetes the model is called {answers.name}.",
            *_noticed(folder, answers),
            "Next:",
            f"  {answers.review} {there}   # hosts and teams that were guessed: change those that are not yours",
            f"  kubectl kustomize {overlay}   # what would run",
            f"  (cd {there} && {push})",
        ]
    )


def _noticed(folder: Path, answers: "Answers") -> list[str]:
    from bot.cli.init_answers import NOBODYS
    from bot.cli.init_choices import LEFT_OUT

    said = []
    left = [
        path for key in (answers.gitops, answers.ci) for path in LEFT_OUT[key] if (folder / path).exists()
    ]
    if left:
        said.append(
            f"Of what was not chosen now there still is: {', '.join(left)}. Remove what nobody needs."
        )
    if answers.domain == NOBODYS:
        said.append(
            f"Hosts are below {NOBODYS}, which is nobody's: the same again with --force --domain puts yours in."
        )
    logins = {"github": "ghcr.io and Azure Container Registry", "azure": "Azure Container Registry"}[
        answers.ci
    ]
    known = answers.registry.endswith(".azurecr.io") or (answers.registry, answers.ci) == (
        "ghcr.io",
        "github",
    )
    if not known:
        said.append(
            f"The CI that was written logs in to {logins} only: give it a login to {answers.registry}."
        )
    elif answers.ci == "github" and not answers.image.startswith(f"ghcr.io/{answers.owner.lower()}/"):
        said.append(
            f"The workflow builds nothing there before the repo's variable IMAGES says {answers.beside}."
        )
    return said
