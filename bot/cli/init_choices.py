"""What the template says of everything that a team may choose, cut down to what one team has chosen."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from bot.cli.init_answers import Answers

LEFT_OUT = {
    "argocd": ("flux", "bot/overlays/flux", "bot/access/flux", "bot/.sops.yaml"),
    "flux": ("argocd", "bot/overlays/argocd", "bot/access/argocd"),
    "github": ("azure-pipelines.yml",),
    "azure": (".github/workflows/deploy-on-model-promotion.yml",),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """In the files that a glob matches (`*` takes in `/`), what a pattern finds becomes something else."""

    files: str
    pattern: str
    becomes: str = ""


ALWAYS = (
    Rule(
        "README.md", r"^1\. Change the names: .*$", "1. Look whether hosts and teams are yours: `{review} .`"
    ),
    Rule("README.md", r"[;,] keep the one that you use(?= \|)"),
)
CHOSEN = {
    "argocd": (
        Rule("*", r"Argo CD or(?: |\n# )Flux", "Argo CD"),
        Rule("README.md", r"`argocd/` or `flux/`", "`argocd/`"),
        Rule("promotions.yaml", r" # with Flux: \{.*?\}$"),
        Rule("components/*/README.md", r" \(with Flux: `rollout: \{flux: …\}`\)"),
        Rule("*.yaml", r"^ +kustomize\.toolkit\.fluxcd\.io/.*\n"),
        Rule("bot/README.md", r", `overlays/flux`"),
        Rule("bot/README.md", r"the Secret, encrypted with SOPS, for Flux", "the keys of its Secret"),
        Rule("bot/README.md", r", in one of two ways(?=\.)"),
        Rule("bot/README.md", r"^   - SOPS, with Flux:(?s:.*?)by itself\.\n"),
        Rule("bot/README.md", r"Argo CD's or Flux's", "Argo CD's"),
        Rule("bot/README.md", r"`argocd/` or `flux/`", "`argocd/`"),
        Rule("bot/README.md", r"With Flux, and for checks", "For checks"),
        Rule("bot/base/network-policy.yaml", r"Flux's Receiver, "),
        Rule("bot/secrets/*", r" With Flux: (?s:.*?)\(README\.md\)\."),
        Rule("bot/secrets/*", r"^ +flux-.*\n"),
    ),
    "flux": (
        Rule("*", r"Argo CD or(?: |\n# )Flux", "Flux"),
        Rule("README.md", r"`argocd/` or `flux/`", "`flux/`"),
        Rule("promotions.yaml", r"\{argocd: ([\w-]+)\}.*$", r"{flux: \1}"),
        Rule("components/*/README.md", r" \(with Flux: `rollout: \{flux: …\}`\)"),
        Rule("components/*/README.md", r"\{argocd: ", "{flux: "),
        Rule("components/*/README.md", r"Argo CD has", "Flux has"),
        Rule("flux/README.md", r"(?<=^1\. )In `promotions\.yaml` write (.*?), and for", r"See that `promotions.yaml` says \1, and so for"),
        Rule("apps/*.yaml", r"^ +# Argo CD .*\n(?: +#.*\n)*(?= +argocd\.argoproj\.io/)"),
        Rule("*.yaml", r"^ +argocd\.argoproj\.io/.*\n"),
        Rule("apps/*.yaml", r"^ +# Argo CD .*\n(?: +#.*\n)* +annotations: \{argocd\.argoproj\.io/.*\}\n"),
        Rule("apps/*.yaml", r", and Argo CD would see a difference for ever"),
        Rule("bot/README.md", r"`overlays/argocd`, "),
        Rule("bot/README.md", r"Argo CD's or Flux's", "Flux's"),
        Rule("bot/README.md", r"`argocd/` or `flux/`", "`flux/`"),
        Rule("bot/README.md", r"^ +Argo CD cannot decrypt these by itself\.\n"),
        Rule("bot/README.md", r"With Argo CD it asks Argo CD's API(?s:.*?)in Kubernetes\. With Flux", "For Flux"),
        Rule("bot/base/network-policy.yaml", r"Argo CD, "),
        Rule("bot/secrets/*", r" With Flux: fill", " With SOPS: fill"),
        Rule("bot/secrets/*", r"^ +argocd-.*\n"),
    ),
    "github": (
        Rule("README.md", r"^\| `azure-pipelines\.yml` .*\n"),
    ),
    "azure": (
        Rule("README.md", r", instead of the workflow in `\.github/`"),
        Rule("README.md", r"code owners, and the workflow that builds images(?= \|)", "and code owners"),
        Rule("promotions.yaml", r"^  build: .*\n"),
        Rule("azure-pipelines.yml", r", as the workflow deploy-on-model-promotion does\n# with GitHub Actions\.", ".\n#"),
    ),
}  # fmt: skip


def chosen(path: str, text: str, answers: Answers) -> str:
    """A file of the template, its names replaced already, for what was chosen."""
    for rule in rules(answers):
        if fnmatchcase(path, rule.files):
            becomes = rule.becomes.replace("{review}", answers.review.replace("\\", r"\\"))
            text = re.sub(rule.pattern, becomes, text, flags=re.MULTILINE)
    if path == "promotions.yaml" and answers.name != answers.model:
        # As YAML has it in quotes: JSON, with nothing in it that could not be seen.
        quoted = json.dumps(answers.model, ensure_ascii=False)
        text = re.sub(rf"(?m)^(  model: ){answers.name}(?=\s)", lambda found: found[1] + quoted, text)
    return _bot(text, answers) if path.endswith("/bot.yaml") else text


def rules(answers: Answers) -> Iterator[Rule]:
    """Those that hold for what was chosen, in their order."""
    yield from ALWAYS
    yield from CHOSEN[answers.gitops]
    yield from CHOSEN[answers.ci]


def _bot(text: str, answers: Answers) -> str:
    text = re.sub(r"(?m)^( +)ghcr\.io(?=: \{username: )", lambda found: found[1] + answers.registry, text)
    if answers.api is not None:
        # Elsewhere than at github.com, which must never see this token.
        text = re.sub(r"(?m)^forge:\n", lambda found: f"{found[0]}  api_url: {answers.api}\n", text)
    return text
