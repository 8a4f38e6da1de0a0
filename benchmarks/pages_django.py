"""Django's way: its ORM, its templates, its middleware, served by granian as WSGI in one process.

Class and function as its tutorial teaches; templates are cached, `DEBUG` is off, and the
middleware is the default one without sessions, messages and CSRF, of which these pages have no use.

    python benchmarks/pages_django.py load data.db world.json
    python benchmarks/pages_django.py serve data.db 8090
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core import signing
from django.core.wsgi import get_wsgi_application
from django.db import connection, models
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.template.defaultfilters import register
from django.urls import path

DATABASE = os.environ.get("BENCH_DATABASE") or sys.argv[2]
settings.configure(
    SECRET_KEY="a benchmark has nothing to hide, not even this",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[],
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    USE_TZ=True,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATABASE,
            "CONN_MAX_AGE": None,
            "OPTIONS": {"init_command": "PRAGMA journal_mode=wal; PRAGMA synchronous=full;"},
        }
    },
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "DIRS": [str(Path(__file__).parent / "pages_site" / "templates")],
            "OPTIONS": {"builtins": [__name__]},
        }
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.http.ConditionalGetMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
)
django.setup()


class Author(models.Model):
    id = models.CharField(max_length=15, primary_key=True)
    name = models.TextField()

    class Meta:
        app_label = "bench"


class User(models.Model):
    id = models.CharField(max_length=15, primary_key=True)
    email = models.EmailField(unique=True)

    class Meta:
        app_label = "bench"


class Columns(models.Model):
    id = models.CharField(max_length=15, primary_key=True)
    title = models.TextField()
    body = models.TextField()
    byline = models.TextField()
    views = models.FloatField()
    published = models.BooleanField()
    tags = models.JSONField()
    kind = models.TextField()
    author = models.ForeignKey(Author, models.CASCADE, null=True)
    owner = models.ForeignKey(User, models.CASCADE, null=True)
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


class Article(Columns):
    class Meta:
        app_label = "bench"


class Note(Columns):
    class Meta:
        app_label = "bench"


@register.filter
def day(moment: Any) -> str:
    return moment.strftime("%d.%m.%Y")


def article_page(request: HttpRequest, record_id: str) -> HttpResponse:
    article = get_object_or_404(Article.objects.select_related("author"), id=record_id)
    return render(request, "article.html", {"article": article})


def notes_page(request: HttpRequest) -> HttpResponse:
    claims = signing.loads(request.headers.get("Authorization", ""), salt="bench")
    user = get_object_or_404(User, id=claims["sub"])
    notes = Note.objects.filter(owner=user, published=True).order_by("-id")[:30]
    return render(request, "notes.html", {"notes": notes, "user": user})


def health(_request: HttpRequest) -> JsonResponse:
    return JsonResponse({"message": "up"})


urlpatterns = [
    path("api/health", health),
    path("articles/<str:record_id>", article_page),
    path("notes", notes_page),
]
application = get_wsgi_application()


def load(world: dict[str, Any]) -> None:
    """Fill a new file; prints the token of the first user."""
    with connection.schema_editor() as editor:
        for model in (Author, User, Article, Note):
            editor.create_model(model)
    Author.objects.bulk_create(Author(**row) for row in world["authors"])
    User.objects.bulk_create(User(**row) for row in world["users"])
    for model, name in ((Article, "articles"), (Note, "notes")):
        rows = [{"author_id": row.pop("author"), "owner_id": row.pop("owner"), **row} for row in world[name]]
        model.objects.bulk_create(model(**row) for row in rows)
    print(signing.dumps({"sub": world["users"][0]["id"]}, salt="bench"))


if __name__ == "__main__":
    if sys.argv[1] == "load":
        load(json.loads(Path(sys.argv[3]).read_text(encoding="utf-8")))
    else:
        os.environ["BENCH_DATABASE"] = DATABASE
        command = ["granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", sys.argv[3], "--workers", "1"]
        os.chdir(Path(__file__).parent)
        os.execvp(str(Path(sys.executable).parent / "granian"), [*command, "--no-log", "pages_django:application"])
