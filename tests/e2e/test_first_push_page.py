"""The snippets of docs/how-to/first-push.md do what the page says."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from delivery.sandbox.tokens import fcm_token
from tests.console.live import serve_api
from tests.e2e.scene import Scene

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "first-push.md").read_text()


def snippet(language: str, containing: str) -> str:
    blocks: list[str] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return next(block for block in blocks if containing in block)


def javascript(folder: Path) -> Path:
    """Return the TypeScript snippet as JavaScript, checked as strictly as its compiler can."""
    if shutil.which("tsc") is None or shutil.which("node") is None:
        pytest.skip("there is no TypeScript: apt-get install --yes nodejs node-typescript")
    source = folder / "first-push.mts"
    source.write_text(snippet("typescript", "sendPush"))
    # What the page says of `@types/node`, in one line.
    known = folder / "node.d.ts"
    known.write_text("declare const process: { env: Record<string, string | undefined> };")
    options = ("--strict", "--target", "es2022", "--module", "node16", "--typeRoots", str(folder))
    command = ["tsc", *options, str(source), str(known)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return source.with_suffix(".mjs")


def test_the_typescript_snippet_sends_once_however_often_it_is_run(
    scene: Scene, tmp_path: Path
) -> None:
    program = javascript(tmp_path)
    scene.add_people({"external_id": "ada"})
    scene.add_device("ada", fcm_token("accepted", 1))

    with serve_api(scene.settings) as url:
        environment = {**os.environ, "API": url, "KEY": scene.key}
        runs = [
            subprocess.run(
                ["node", str(program)], env=environment, capture_output=True, text=True, check=True
            )
            for _ in range(2)
        ]
        wrong = subprocess.run(
            ["node", str(program)],
            env={**environment, "KEY": "ca_mistyped"},
            capture_output=True,
            text=True,
            check=False,
        )
        scene.work()

    assert all("accepted" in run.stdout for run in runs)
    assert wrong.returncode == 1
    assert "token_invalid: The key is unknown" in wrong.stderr
    assert len(list(scene.sandbox.control.accepted())) == 1


def test_the_python_snippet_sends_once_however_often_it_is_run(scene: Scene) -> None:
    scene.add_people({"external_id": "ada", "attributes": {"first_name": "Ada"}})
    scene.add_device("ada", fcm_token("accepted", 1))
    command = [sys.executable, "-c", snippet("python", "send_push")]

    with serve_api(scene.settings) as url:
        environment = {**os.environ, "API": url, "KEY": scene.key}
        runs = [
            subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            for _ in range(2)
        ]
        scene.work()

    assert "accepted" in runs[0].stdout
    assert len(list(scene.sandbox.control.accepted())) == 1


def test_the_body_of_the_curl_snippet_is_accepted(scene: Scene) -> None:
    scene.add_people({"external_id": "ada"})
    body = re.search(r"-d '(\{.*\})'", snippet("sh", "order-77-shipped"), re.DOTALL)
    assert body is not None

    answer = scene.http.post(
        "/v1/messages", content=body.group(1), headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 202


def test_the_key_of_the_page_can_send(scene: Scene) -> None:
    body = re.search(r"-d '(\{\"kind\": \"server\".*?\})'", PAGE, re.DOTALL)
    assert body is not None

    answer = scene.http.post(
        f"/v1/apps/{scene.app_id}/keys",
        content=body.group(1),
        headers={"Content-Type": "application/json"},
    )

    assert answer.status_code == 201
