"""GitHub, through PyGithub: pull requests, commit statuses and comments (`forge`), workflow runs (`ci`)."""
