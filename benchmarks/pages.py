"""Two pages, several servers, one run: one with a record and its author, one with a list of 30 under an owner's rule.

    python benchmarks/pages.py [--only django,fastapi,undercroft] [--rounds 3] [--seconds 3]

The templates make the same HTML. Rounds alternate between the servers; figures are
medians; CPU is that of all processes of a server. For Undercroft the cost is then told by
stage, from the Server-Timing header that it sends on demand. Needs `wrk`.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import sys
import urllib.request
from collections import defaultdict
from pathlib import Path

from compare import bring_up, line, measure
from servers import HERE, OwnServer, Server, WireServer
from works import Work
from world import World, make_world

ASKED = 500  # requests from which the cost by stage is taken


class SiteServer(WireServer):
    """Undercroft with the pages of this folder."""

    def command(self) -> list[str]:
        return [self.program, "serve", str(HERE / "pages_site"), *super().command()[2:]]

    def _make_collections(self, token: str) -> None:
        super()._make_collections(token)
        self.call("PATCH", "/api/collections/users", {"viewRule": "id = @request.auth.id"}, token)


class TimedSite(SiteServer):
    """The same, telling what each page costs."""

    def command(self) -> list[str]:
        return ["env", "UNDERCROFT_SERVER_TIMING=true", *super().command()]


def main() -> None:
    options = parse_options()
    if not shutil.which("wrk"):
        sys.exit("The load comes from wrk: apt install wrk")
    world = make_world(options.records)
    chosen = {name: server for name, server in contenders().items() if name in options.only.split(",")}
    try:
        result = {name: bring_up(server, world) for name, server in chosen.items()}
        check_same(list(chosen.values()), world)
        print(f"\n{'':18}" + "".join(f"| {name:^29}" for name in chosen))
        for work in works(world):
            loads = measure(work, chosen, world, options)
            print(line(work, loads), flush=True)
            for name, load in loads.items():
                result[name][work.name] = vars(load)
    finally:
        for server in chosen.values():
            server.stop()
    if "undercroft" in chosen:
        show_stages(world)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1))


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="django,fastapi,undercroft", help="servers, comma separated")
    parser.add_argument("--records", type=int, default=10_000, help="articles to fill in")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="length of one run")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


def contenders() -> dict[str, Server]:
    """The servers by name."""
    return {
        "django": OwnServer("django", "pages_django.py", ""),
        "fastapi": OwnServer("fastapi", "pages_fastapi.py", ""),
        "undercroft": SiteServer("undercroft", undercroft()),
    }


def undercroft() -> str:
    return str(Path(sys.executable).parent / "undercroft")


def works(world: World) -> list[Work]:
    """The two pages."""
    return [
        Work("page: 1 record", script=lambda *_: over_articles(world)),
        Work("page: list of 30", "/notes", signed_in=True),
    ]


def check_same(servers: list[Server], world: World) -> None:
    """End here unless every server shows the same article and the same thirty notes."""
    article = world.articles[0]
    shown = {}
    for server in servers:
        one = fetch(f"{server.base}/articles/{article['id']}")
        many = fetch(f"{server.base}/notes", server.user_token)
        titles = re.findall(r'">(Article \d+)</a>', many)
        shown[server.name] = (article["body"] in one, "By Author" in one, len(titles), titles)
    if len({str(facts) for facts in shown.values()}) != 1 or next(iter(shown.values()))[:3] != (True, True, 30):
        sys.exit(f"The servers show different things: {shown}")


def fetch(url: str, token: str = "") -> str:
    request = urllib.request.Request(url, headers={"Authorization": token} if token else {})
    with urllib.request.urlopen(request) as answer:
        text: str = answer.read().decode()
        return text


def over_articles(world: World) -> str:
    ids = ",".join(f'"{article["id"]}"' for article in world.articles[:2000])
    request = 'wrk.format("GET", "/articles/" .. ids[n % #ids + 1])'
    return f"local ids = {{{ids}}}\nlocal n = 0\nrequest = function() n = n + 1; return {request} end"


def show_stages(world: World) -> None:
    """Print what the stages of each page cost, one request at a time."""
    server = TimedSite("stages", undercroft())
    try:
        bring_up(server, world)
        for name, path, token in (
            ("page: 1 record", f"/articles/{world.articles[0]['id']}", ""),
            ("page: list of 30", "/notes", server.user_token),
        ):
            stages = timings(server.base + path, token)
            told = ", ".join(f"{stage} {microseconds:.0f}" for stage, microseconds in stages.items())
            print(f"{name}: {told}; {sum(stages.values()):.0f} µs in all", flush=True)
    finally:
        server.stop()


def timings(url: str, token: str) -> dict[str, float]:
    """The median of each stage in microseconds."""
    found: dict[str, list[float]] = defaultdict(list)
    for _ in range(ASKED):
        request = urllib.request.Request(url, headers={"Authorization": token} if token else {})
        with urllib.request.urlopen(request) as answer:
            for stage, milliseconds in re.findall(r"(\w+);dur=([\d.]+)", answer.headers["Server-Timing"]):
                found[stage].append(float(milliseconds) * 1000)
    return {stage: statistics.median(times) for stage, times in found.items()}


if __name__ == "__main__":
    main()
