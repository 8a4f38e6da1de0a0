"""How stored files are shown: types, and the names that downloads get."""

import pytest

from undercroft.http.disposition import content_disposition, default_disposition, served_type


@pytest.mark.parametrize(
    ("stored", "name", "served"),
    [
        ("image/png", "a.png", "image/png"),
        ("text/plain", "a.txt", "text/plain; charset=utf-8"),
        ("text/html", "a.html", "text/html; charset=utf-8"),
        ("text/plain; charset=iso-8859-1", "a.txt", "text/plain; charset=iso-8859-1"),
        ("text/plain", "a.css", "text/css"),
        ("text/plain", "a.js", "text/javascript"),
        ("text/plain", "a.mjs", "text/javascript"),
        ("text/xml", "a.svg", "image/svg+xml"),
        ("application/zip", "a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("application/zip", "a.tar.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("image/png", "a.svg", "image/png"),
        ("image/gif", "a.js", "image/gif"),
        ("application/pdf", "a.css", "application/pdf"),
        ("IMAGE/PNG", "a.png", "image/png"),
        ("application/octet-stream", "js", "application/octet-stream"),
    ],
)
def test_type(stored, name, served):
    """The content says what a file is; its name decides only among texts and archives."""
    assert served_type(stored, name) == served


@pytest.mark.parametrize(
    "stored",
    ["", "html", "text/", "/html", "text/html\r\nset-cookie: a=b", "text/html, image/png", "a/b/c", "té/xt", "x/" + "y" * 200,
     "text/html; charset=a; boundary=b", 'text/html;charset="a"', "*/*", " text/html"],
)  # fmt: skip
def test_odd_type(stored):
    """A type that is none is bytes, which every browser saves."""
    assert served_type(stored, "a.png") == "application/octet-stream"


@pytest.mark.parametrize("kind", ["image/png", "video/mp4", "audio/wav", "application/pdf"])
def test_opened(kind):
    """Pictures, sound, films and PDF open in the browser."""
    assert default_disposition(kind) == "inline"


@pytest.mark.parametrize(
    "kind", ["image/svg+xml", "text/html; charset=utf-8", "text/xml", "application/xhtml+xml", "message/rfc822", "x/y"]
)
def test_saved(kind):
    """Everything that is not on the short list is saved."""
    assert default_disposition(kind) == "attachment"


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("report_0a1b2c3d4e.pdf", 'attachment; filename="report_0a1b2c3d4e.pdf"'),
        ("My file (1).txt", 'attachment; filename="My file (1).txt"'),
        ('a"b.txt', "attachment; filename=\"a_b.txt\"; filename*=UTF-8''a%22b.txt"),
        ("50%20.txt", "attachment; filename=\"50_20.txt\"; filename*=UTF-8''50%2520.txt"),
        ("résumé.pdf", "attachment; filename=\"r_sum_.pdf\"; filename*=UTF-8''r%C3%A9sum%C3%A9.pdf"),
        (
            "a\r\nset-cookie: b=c",
            "attachment; filename=\"a__set-cookie_ b=c\"; filename*=UTF-8''a__set-cookie%3A%20b%3Dc",
        ),
        ("../../etc/passwd", 'attachment; filename="_.._etc_passwd"'),
        ("C:\\temp\\x.exe", "attachment; filename=\"C__temp_x.exe\"; filename*=UTF-8''C%3A_temp_x.exe"),
        ("invoice\u202efdp.exe", 'attachment; filename="invoice_fdp.exe"'),
        ("\x00", 'attachment; filename="_"'),
        ("...", 'attachment; filename="file"'),
        ("", 'attachment; filename="file"'),
        ("\ud800.txt", 'attachment; filename="_.txt"'),
    ],
)
def test_names(name, header):
    """No name breaks out of its header, leads to another folder, or reads as what it is not."""
    assert content_disposition("attachment", name) == header


def test_long_name():
    """A name is as long as file systems take, and keeps its end."""
    header = content_disposition("inline", "é" * 5000 + ".txt")

    assert header.count("%C3%A9") == 118
    assert header.endswith(".txt")
