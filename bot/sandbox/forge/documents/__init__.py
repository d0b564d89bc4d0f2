"""The JSON documents of GitHub's REST API, as functions of what the forge knows."""
