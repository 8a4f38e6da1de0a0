"""The usual way: FastAPI, pydantic models, SQLAlchemy's async ORM on aiosqlite, uvicorn.

Written as its documentation teaches: a session a request by dependency, response
models, a bearer token checked by a dependency, eager loading for the relation.

    python benchmarks/fastapi_app.py load data.db world.json
    python benchmarks/fastapi_app.py serve data.db 8090
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import JSON, ForeignKey, Select, event, func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload

KEY = OctKey.import_key("a benchmark has nothing to hide, not even this")
DATABASE = sys.argv[2] if len(sys.argv) > 2 else os.environ.get("BENCH_DATABASE", "data.db")
engine = create_async_engine(f"sqlite+aiosqlite:///{DATABASE}")
sessions = async_sessionmaker(engine, expire_on_commit=False)


@event.listens_for(engine.sync_engine, "connect")
def _use_wal(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA journal_mode = wal")
    connection.execute("PRAGMA synchronous = full")


def now() -> datetime:
    return datetime.now(UTC)


def new_id() -> str:
    return secrets.token_hex(8)[:15]


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "authors"
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]


class User(Base):
    __tablename__ = "users"
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    email: Mapped[str] = mapped_column(unique=True)


class Columns:
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    title: Mapped[str]
    body: Mapped[str] = mapped_column(default="")
    byline: Mapped[str] = mapped_column(default="")
    published: Mapped[bool] = mapped_column(default=False)
    tags: Mapped[list[str]] = mapped_column(JSON, default=list)
    kind: Mapped[str] = mapped_column(default="")
    updated: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class Article(Columns, Base):
    __tablename__ = "articles"
    views: Mapped[float] = mapped_column(default=0, index=True)
    created: Mapped[datetime] = mapped_column(default=now, index=True)
    author_id: Mapped[str | None] = mapped_column(ForeignKey("authors.id"))
    owner_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    author: Mapped[Author | None] = relationship()


class Note(Columns, Base):
    __tablename__ = "notes"
    views: Mapped[float] = mapped_column(default=0)
    created: Mapped[datetime] = mapped_column(default=now)
    author_id: Mapped[str | None] = mapped_column(ForeignKey("authors.id"))
    owner_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)


class AuthorOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: str
    name: str


class ArticleIn(BaseModel):
    title: str = Field(min_length=1)
    body: str = ""
    byline: str = ""
    views: float = 0
    published: bool = False
    tags: list[str] = []
    kind: str = ""
    author_id: str | None = None
    owner_id: str | None = None


class ArticlePatch(BaseModel):
    views_added: float = Field(alias="views+")


class ArticleOut(ArticleIn):
    model_config = ConfigDict(from_attributes=True)
    id: str
    created: datetime
    updated: datetime


class ArticleWithAuthor(ArticleOut):
    author: AuthorOut | None


class Page(BaseModel):
    items: list[ArticleWithAuthor] | list[ArticleOut]
    page: int
    per_page: int
    total_items: int


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    yield
    await engine.dispose()


async def get_session() -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session)]


async def current_user(session: Session, authorization: Annotated[str, Header()]) -> User:
    try:
        claims = jwt.decode(authorization, KEY).claims
    except (JoseError, ValueError) as error:
        raise HTTPException(401) from error
    user = await session.get(User, claims["sub"])
    if user is None:
        raise HTTPException(401)
    return user


app = FastAPI(lifespan=lifespan)


@app.get("/api/health")
async def health() -> dict[str, str]:
    return {"message": "up"}


@app.get("/api/collections/articles/records/{record_id}")
async def view(record_id: str, session: Session) -> ArticleOut:
    article = await session.get(Article, record_id)
    if article is None:
        raise HTTPException(404)
    return ArticleOut.model_validate(article)


@app.get("/api/collections/articles/records")
async def list_articles(  # noqa: PLR0917 - the parameters are the query, as FastAPI has it
    session: Session,
    perPage: int = 30,
    sort: str = "-created",
    skipTotal: bool = False,
    expand: str = "",
    views_above: float | None = None,
    published: bool | None = None,
    title_has: str | None = None,
) -> Page:
    query = select(Article)
    if views_above is not None:
        query = query.where(Article.views > views_above)
    if published is not None:
        query = query.where(Article.published == published)
    if title_has is not None:
        query = query.where(Article.title.contains(title_has))
    column = {"created": Article.created, "views": Article.views, "id": Article.id}[sort.lstrip("-")]
    total = -1 if skipTotal else await _count(session, query)
    query = query.order_by(column.desc() if sort.startswith("-") else column).limit(perPage)
    model = ArticleWithAuthor if expand else ArticleOut
    if expand:
        query = query.options(selectinload(Article.author))
    found = (await session.scalars(query)).all()
    return Page(items=[model.model_validate(one) for one in found], page=1, per_page=perPage, total_items=total)


@app.get("/api/collections/notes/records")
async def list_notes(session: Session, user: Annotated[User, Depends(current_user)], perPage: int = 30) -> Page:
    query = select(Note).where(Note.owner_id == user.id, Note.published).order_by(Note.id.desc()).limit(perPage)
    found = (await session.scalars(query)).all()
    return Page(items=[ArticleOut.model_validate(one) for one in found], page=1, per_page=perPage, total_items=-1)


@app.post("/api/collections/articles/records")
async def create(body: ArticleIn, session: Session) -> ArticleOut:
    article = Article(**body.model_dump())
    session.add(article)
    await session.commit()
    return ArticleOut.model_validate(article)


@app.patch("/api/collections/articles/records/{record_id}")
async def update(record_id: str, body: ArticlePatch, session: Session) -> ArticleOut:
    article = await session.get(Article, record_id)
    if article is None:
        raise HTTPException(404)
    article.views = Article.views + body.views_added
    await session.commit()
    await session.refresh(article)
    return ArticleOut.model_validate(article)


async def _count(session: AsyncSession, query: Select[Any]) -> int:
    counted = await session.scalar(select(func.count()).select_from(query.subquery()))
    return counted or 0


async def load(world: dict[str, Any]) -> None:
    """Fill a new file; prints the token of the first user."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with sessions() as session:
        session.add_all(Author(**row) for row in world["authors"])
        session.add_all(User(**row) for row in world["users"])
        for model, name in ((Article, "articles"), (Note, "notes")):
            for row in world[name]:
                author, owner = row.pop("author"), row.pop("owner")
                session.add(model(**row, author_id=author, owner_id=owner))
        await session.commit()
    await engine.dispose()
    print(jwt.encode({"alg": "HS256"}, {"sub": world["users"][0]["id"]}, KEY))


if __name__ == "__main__":
    if sys.argv[1] == "load":
        with open(sys.argv[3], encoding="utf-8") as file:
            asyncio.run(load(json.load(file)))
    else:
        uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[3]), log_level="warning", access_log=False)
