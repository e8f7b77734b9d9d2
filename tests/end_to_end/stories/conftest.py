"""One stage for all stories; after each file the books must match, and the logs hold no personal data."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.stories.world import StoryWorld, logged, running


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoryWorld]:
    """Runs everything, from the first story to the last."""
    with running(Path(tmp_path_factory.mktemp("stories")) / "var") as story_world:
        yield story_world


@pytest.fixture(scope="module", autouse=True)
def _true_books_and_silent_logs(request: pytest.FixtureRequest, world: StoryWorld) -> Iterator[None]:
    """Runs `mutuelle verify`, and finds no secret, phone or unexpected traceback in the logs."""
    before = {name: len(words) for name, words in logged(world).items()}
    yield
    world.verify()
    new_text = {name: words[before[name] :] for name, words in logged(world).items()}
    keys = ("SECRET_KEY", "PHONE_KEY", "AT_API_KEY", "DATABASE_URL", "REDIS_URL")
    secrets = {*(world.stage.env[key] for key in keys), *_tokens(world.endpoints)}
    assert len(secrets) == len(keys) + 4  # one gateway, three wallets
    fell = getattr(request.module, "THINGS_FALL", False)
    for name, words in new_text.items():
        assert not [secret for secret in secrets if secret in words], name
        assert not re.findall(r"\+?(?:22177|25078|22370)\d{6,7}", words), name
        assert fell or "Traceback" not in words, f"{name}: {words[words.find('Traceback') :][-3000:]}"


def _tokens(node: Any) -> Iterator[str]:
    """Yields the secret part of each of our addresses."""
    if isinstance(node, dict):
        for inner in node.values():
            yield from _tokens(inner)
    elif isinstance(node, str) and (match := re.search(r"/(?:ussd|sms|momo)/[a-z]+/([^/]+)", node)):
        yield match[1]
