"""Letters as values: what may stand in them, and how they are written out."""

from __future__ import annotations

from email import message_from_string
from email.policy import default

import pytest

from undercroft.mail.compose import compose
from undercroft.mail.message import Attachment, BadLetter, Letter, Mailbox, one_line
from undercroft.mail.mime import ascii_address, write_out
from undercroft.mail.outbox import seal
from undercroft.mail.plain_text import plain_text

BREAKS = ["\r\nBcc: all@example.com", "\nX: 1", "\rX: 1", "\x00", "\u2028", "\x85"]


def read(letter):
    """A letter as its reader's program sees it."""
    return message_from_string(write_out(letter, "<1@example.com>").replace("\r\n", "\n"), policy=default)


def letter(**more):
    parts = {"sender": Mailbox("desk@example.com"), "to": (Mailbox("ada@example.com"),), "subject": "Hello"}
    return Letter(**parts | more)


@pytest.mark.parametrize("ending", BREAKS, ids=repr)
@pytest.mark.parametrize(
    "make",
    [
        lambda text: Mailbox(f"ada@example.com{text}"),
        lambda text: Mailbox(f"ada{text}@example.com"),
        lambda text: Mailbox("ada@example.com", f"Ada{text}"),
        lambda text: letter(subject=f"Hello{text}"),
        lambda text: letter(headers={"X-Kind": f"a{text}"}),
        lambda text: letter(headers={f"X-Kind{text}": "a"}),
        lambda text: Attachment(f"a.txt{text}", b""),
        lambda text: Attachment("a.txt", b"", f"text/plain{text}"),
    ],
    ids=["address", "local part", "name", "subject", "header", "header name", "file name", "file type"],
)
def test_line_breaks_are_refused(make, ending):
    """A line break, however it is written, gets into no header and no envelope."""
    with pytest.raises(BadLetter):
        make(ending)


@pytest.mark.parametrize(
    "address",
    ["", "ada", "@example.com", "ada@", "a b@example.com", "a@b@c.example", "<a@example.com>", "a@example.com, b@x.y"],
)
def test_no_address(address):
    """What is no address, or more than one, is refused."""
    with pytest.raises(BadLetter):
        Mailbox(address)


@pytest.mark.parametrize("name", ["Bcc", "to", "Content-Type", "content-transfer-encoding", "From", "a b", ""])
def test_headers_that_are_ours(name):
    """Further headers change neither the envelope nor the structure."""
    with pytest.raises(BadLetter):
        letter(headers={name: "x"})


def test_no_recipients():
    """A letter is to somebody, but not to everybody."""
    for count in (0, 101):
        with pytest.raises(BadLetter):
            letter(to=tuple(Mailbox(f"a{number}@example.com") for number in range(count)))


def test_too_large():
    """A letter ends at 20 MiB."""
    with pytest.raises(BadLetter):
        letter(attachments=(Attachment("a", bytes(20 * 1024 * 1024 + 1)),))


def test_written_out():
    """Names, subject, both parts and attachments come out as they were put in, in lines that every server takes."""
    sender = Mailbox("desk@example.com", 'Jörg, the "desk"')
    files = (Attachment("plan – ü.pdf", b"%PDF", "application/pdf"), Attachment("a.txt", b"a\r\nb"))
    made = letter(
        sender=sender, subject="Grüße " * 40, html="<p>Ünder</p>", reply_to=(Mailbox("r@x.y"),), attachments=files
    )

    text = write_out(made, "<1@example.com>")
    read_back = read(made)

    assert text.isascii()
    assert max(len(line) for line in text.split("\r\n")) <= 998
    assert "\n" not in text.replace("\r\n", "")
    assert read_back["From"].addresses[0].display_name == 'Jörg, the "desk"'
    assert read_back["Subject"] == ("Grüße " * 40)
    assert read_back["Reply-To"] == "r@x.y"
    assert read_back["Auto-Submitted"] == "auto-generated"
    assert read_back.get_body(("plain",)).get_content() == "Ünder\n"
    assert read_back.get_body(("html",)).get_content() == "<p>Ünder</p>\n"
    found = [
        (part.get_filename(), part.get_content_type(), part.get_content()) for part in read_back.iter_attachments()
    ]
    assert found == [("plan – ü.pdf", "application/pdf", b"%PDF"), ("a.txt", "application/octet-stream", b"a\r\nb")]


def test_each_recipient_has_an_envelope():
    """Two recipients are two letters on their way with one Message-ID; one named twice is one."""
    boxes = tuple(Mailbox(address) for address in ("ada@example.com", "bob@exämple.com", "ada@example.com"))

    posts = seal(letter(to=boxes), "news").posts

    assert [post.recipient for post in posts] == ["ada@example.com", "bob@xn--exmple-cua.com"]
    assert len({post.id for post in posts}) == 2
    assert len({post.content for post in posts}) == 1


def test_placeholders():
    """Placeholders are filled in the subject and the body; unknown ones stay."""
    words = compose("{APP_NAME}: {OTP}", "<p>{RECORD:name} {NOPE} {RECORD:nope} {x}</p>", {"APP_NAME": "A", "OTP": "1"})

    assert words.subject == "A: 1"
    assert "<p>{RECORD:name} {NOPE} {RECORD:nope} {x}</p>" in words.html


def test_values_are_escaped():
    """What somebody calls themselves is text in the HTML, and one line in the subject."""
    name = '<img src=x onerror="alert(1)">\r\nBcc: all@example.com'

    words = compose("Hello {RECORD:name}", '<p title="{RECORD:name}">{RECORD:name}</p>', {"RECORD:name": name})

    assert "<img" not in words.html
    assert words.html.count("&lt;img src=x onerror=&quot;alert(1)&quot;&gt;") == 3  # the title tells the subject
    assert words.subject == 'Hello <img src=x onerror="alert(1)"> Bcc: all@example.com'
    assert read(letter(subject=words.subject))["Bcc"] is None


def test_a_value_is_no_template():
    """A value that looks like a placeholder is not filled in turn, so nobody draws a secret into a letter."""
    values = {"RECORD:name": "{TOKEN} {{TOKEN}} {RECORD:email}", "TOKEN": "s3cret", "RECORD:email": "a@example.com"}

    words = compose("{RECORD:name}", "<p>{RECORD:name}</p>", values)

    assert "s3cret" not in words.subject + words.html + words.text
    assert "<p>{TOKEN} {{TOKEN}} {RECORD:email}</p>" in words.html


@pytest.mark.parametrize("body", ["{0}", "{}", "{APP_NAME.__class__}", "{{7*7}}", "{% x %}", "${x}", "{APP_NAME!r}"])
def test_templates_have_no_logic(body):
    """Nothing in a template is run."""
    assert body in compose("s", f"<p>{body}</p>", {"APP_NAME": "A"}).html


def test_a_page_of_ones_own():
    """A body that is a whole page is sent as it is."""
    page = "<!doctype html><html><body><p>Ours</p></body></html>"

    assert compose("s", page, {}).html == page


def test_what_no_mail_can_carry():
    """Half characters and NUL become a mark, and the letter can be written out."""
    words = compose("a\ud800\x00", "<p>\udfff\x00</p>", {})

    assert "\ufffd" in read(letter(subject=words.subject, html=words.html)).get_body(("html",)).get_content()


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>Two<br>three</p>", "One\n\nTwo\nthree\n"),
        ('<p><a class="btn" href="https://x.y/?a=1&amp;b=2">Go</a></p>', "Go: https://x.y/?a=1&b=2\n"),
        ('<a href="https://x.y">https://x.y</a> <a href="mailto:a@x.y">a@x.y</a>', "https://x.y a@x.y\n"),
        ("<head><title>T</title><style>p{}</style></head><p>A\n  b &amp; <b>c</b></p>", "A b & c\n"),
        ("<ul><li>a</li><li>b</li></ul>", "- a\n- b\n"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc\n"),
        ("<p>a < b</p><script>alert(1)</script>", "a < b\n"),
        ("", "\n"),
    ],
)
def test_plain_text(html, text):
    """Who reads without HTML reads the same words, and the addresses behind them."""
    assert plain_text(html) == text


def test_one_line():
    """Whatever breaks a header is a space."""
    assert one_line("a\r\n\tb\x00\u2028c") == "a b c"


@pytest.mark.parametrize(
    ("domain", "written"),
    [
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("faß.example", "xn--fa-hia.example"),
        ("FAẞ.example", "xn--fa-hia.example"),
        ("βόλος.example", "xn--nxasmm1c.example"),
        ("straße。bücher.example", "xn--strae-oqa.xn--bcher-kva.example"),
    ],
)
def test_domain_of_another_script(domain, written):
    """A domain is written as DNS has it today: one with a sharp s is not the one with two plain ones."""
    assert ascii_address(f"ada@{domain}") == f"ada@{written}"


@pytest.mark.parametrize(
    "domain", ["a\u200db.example", "a\u200cb.example", f"{'ß' * 60}.example", "ß\u2028.example", "ü..ß"]
)
def test_domain_that_cannot_be(domain):
    """A domain that DNS cannot hold, or with marks in it that nobody sees, is refused."""
    with pytest.raises(BadLetter):
        ascii_address(f"ada@{domain}")
