"""The usual way to pages: FastAPI, Jinja templates, SQLAlchemy's async ORM on aiosqlite, uvicorn.

python benchmarks/pages_fastapi.py load data.db world.json
python benchmarks/pages_fastapi.py serve data.db 8090
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, HTTPException, Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from fastapi_app import Article, Note, Session, User, app, current_user, load
from sqlalchemy import select
from sqlalchemy.orm import selectinload

templates = Jinja2Templates(Path(__file__).parent / "pages_site" / "templates")
templates.env.auto_reload = False


def day(moment: datetime) -> str:
    return moment.strftime("%d.%m.%Y")


templates.env.filters["day"] = day


@app.get("/articles/{record_id}", response_class=HTMLResponse)
async def article_page(request: Request, record_id: str, session: Session) -> Any:
    query = select(Article).where(Article.id == record_id).options(selectinload(Article.author))
    article = await session.scalar(query)
    if article is None:
        raise HTTPException(404)
    return templates.TemplateResponse(request, "article.html", {"article": article})


@app.get("/notes", response_class=HTMLResponse)
async def notes_page(request: Request, session: Session, user: Annotated[User, Depends(current_user)]) -> Any:
    query = select(Note).where(Note.owner_id == user.id, Note.published).order_by(Note.id.desc()).limit(30)
    notes = (await session.scalars(query)).all()
    return templates.TemplateResponse(request, "notes.html", {"notes": notes, "user": user})


if __name__ == "__main__":
    if sys.argv[1] == "load":
        asyncio.run(load(json.loads(Path(sys.argv[3]).read_text(encoding="utf-8"))))
    else:
        uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[3]), log_level="warning", access_log=False)
