"""A cache that many visitors share, in front of a site: nobody gets what was made for somebody else."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from undercroft.testing import Answer

FILES = {
    "pages/index.html": "{{ user.name if user else 'guest' }}: {{ records.terms.count() }}",
    "pages/[word].html": "{{ params.word }} for {{ user.name if user else 'guest' }}",
    "pages/list.html": "{% block part %}part{% endblock %} of a page for {{ user.name if user else 'guest' }}",
    "public/style.css": "body { }" * 300,
}


@dataclass
class SharedCache:
    """Keeps what a shared cache may keep (RFC 9111), by URL and by the request's headers that `Vary` names."""

    world: object
    kept: dict[str, list[tuple[dict[str, str], Answer]]] = field(default_factory=dict)
    hits: int = 0

    async def get(self, path: str, **headers: str) -> Answer:
        asked = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        for told, answer in self.kept.get(path, []):
            if self._fits(told, asked, answer):
                again = await self.world.get(path, headers={**asked, "if-none-match": answer.headers.get("etag", "")})
                if again.status != 304:
                    return self._keep(path, asked, again)
                self.hits += 1
                return answer
        return self._keep(path, asked, await self.world.get(path, headers=asked))

    def _fits(self, told: dict[str, str], asked: dict[str, str], answer: Answer) -> bool:
        names = [name.strip().lower() for name in answer.headers.get("vary", "").split(",") if name.strip()]
        return all(told.get(name) == asked.get(name) for name in names)

    def _keep(self, path: str, asked: dict[str, str], answer: Answer) -> Answer:
        policy = answer.headers.get("cache-control", "")
        if answer.status == 200 and "private" not in policy and "no-store" not in policy:
            self.kept.setdefault(path, []).append((asked, answer))
        return answer


async def test_shared_cache_mixes_nobody_up(serve, seed):
    """Forty requests of guests and of Ada through a shared cache: each gets what they would get without it."""
    world = await serve(FILES)
    await world.add(title="T")
    cache, chance = SharedCache(world), random.Random(seed)
    paths = ["/", "/word", "/list", "/list?_block=part", "/style.css"]
    wishes = [{}, {"authorization": world.ada}, {"accept_encoding": "br"}, {"hx_request": "true"}]

    for _ in range(40):
        path, wish = chance.choice(paths), chance.choice(wishes)
        seen = await cache.get(path, **wish)
        alone = await world.get(path, headers={name.replace("_", "-"): value for name, value in wish.items()})
        assert (seen.status, seen.body) == (alone.status, alone.body), (path, wish)

    kept = [answer for answers in cache.kept.values() for _, answer in answers]
    assert not [answer for answer in kept if b"Ada" in answer.body]
    assert cache.hits > 0
