"""The workflows on GitHub: pinned actions and the least permissions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[2] / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_pinned_to_a_commit(path):
    for uses in re.findall(r"uses: *(.*)", path.read_text()):
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v[\d.]+", uses), uses


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_workflow_may_read_the_repository_and_no_more(path):
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert "permissions" not in job
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout"):
                assert step["with"]["persist-credentials"] is False


def test_no_workflow_runs_what_strangers_write():
    for path in WORKFLOWS:
        text = path.read_text()
        assert "pull_request_target" not in text
        assert "secrets." not in text
        assert "github.event" not in text


def test_there_are_workflows_and_one_audits_the_environment():
    assert len(WORKFLOWS) > 5
    assert "pip-audit" in (FOLDER / "audit.yml").read_text()
