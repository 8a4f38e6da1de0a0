"""Options: where they come from and which are refused."""

import pytest

from undercroft.config import BadConfig, load_config, parse_address


def test_defaults(tmp_path):
    """Without anything set, data lies in the site."""
    config = load_config(tmp_path, {}, {})

    assert (config.http, config.dir, config.workers) == ("127.0.0.1:8090", str(tmp_path / "data"), 1)


def test_weight(tmp_path):
    """A flag wins over the environment, which wins over the file."""
    (tmp_path / "undercroft.toml").write_text('http = "h:1"\nworkers = 2\ndev = true\n')
    environment = {"UNDERCROFT_HTTP": "h:2", "UNDERCROFT_WORKERS": "3"}
    config = load_config(tmp_path, {"http": "h:3", "dev": None}, environment)

    assert (config.http, config.workers, config.dev) == ("h:3", 3, True)


def test_folders(tmp_path):
    """A folder in the file is seen from the site, one in the environment from where one stands."""
    (tmp_path / "undercroft.toml").write_text('dir = "cellar"')

    assert load_config(tmp_path, {}, {}).dir == str(tmp_path / "cellar")
    assert load_config(tmp_path, {}, {"UNDERCROFT_DIR": "cellar"}).dir == "cellar"


def test_lists_in_the_environment(tmp_path):
    """Origins and networks are parted by commas."""
    environment = {
        "UNDERCROFT_ORIGINS": "https://a.example, https://b.example",
        "UNDERCROFT_OUTGOING_NETWORKS": "10.1.0.0/16, fd00::/8",
    }

    config = load_config(tmp_path, {}, environment)

    assert config.origins == ("https://a.example", "https://b.example")
    assert config.outgoing_networks == ("10.1.0.0/16", "fd00::/8")


def test_variables_of_others_are_ignored(tmp_path):
    """A variable that resembles no option is somebody else's."""
    load_config(tmp_path, {}, {"UNDERCROFT_ALLOW_NETWORK_FILE_SYSTEM": "1", "PATH": "/bin", "UNDERCROFT_HTTP": ""})


def test_keys_are_no_options(tmp_path):
    """The keys of a bucket are in the environment alone: they are not taken for an option that is misspelt."""
    config = load_config(tmp_path, {}, {"UNDERCROFT_S3_ACCESS_KEY": "k", "UNDERCROFT_S3_SECRET": "hush"})

    assert "hush" not in repr(config)


@pytest.mark.parametrize(
    ("file", "environment", "words"),
    [
        ("htttp = 'x:1'", {}, ["'htttp'", "undercroft.toml", "'http'"]),
        ("workers = 0", {}, ["workers", "undercroft.toml"]),
        ("workers = 'many'", {}, ["workers", "undercroft.toml"]),
        ("dev = [", {}, ["undercroft.toml", "cannot be read"]),
        ("", {"UNDERCROFT_WORKRES": "2"}, ["UNDERCROFT_WORKRES", "UNDERCROFT_WORKERS"]),
        ("", {"UNDERCROFT_WORKERS": "x"}, ["workers", "environment"]),
        ("", {"UNDERCROFT_HTTP": "8090"}, ["HOST:PORT"]),
        ("files = 'gs://x'", {}, ["gs://x", "s3://BUCKET", "local"]),
        ("outgoing_networks = ['10.0.0.1/8']", {}, ["10.0.0.1/8", "10.1.0.0/16"]),
        ("", {"UNDERCROFT_OUTGOING_NETWORKS": "localhost"}, ["localhost", "10.1.0.0/16"]),
    ],
)
def test_refused(tmp_path, file, environment, words):
    """A wrong option is refused with its name, its place and what would be right."""
    (tmp_path / "undercroft.toml").write_text(file)

    with pytest.raises(BadConfig) as raised:
        load_config(tmp_path, {}, environment)

    assert [word for word in words if word not in str(raised.value)] == []


@pytest.mark.parametrize(
    ("text", "host", "port", "url"),
    [
        ("127.0.0.1:8090", "127.0.0.1", 8090, "http://127.0.0.1:8090"),
        ("[::1]:80", "::1", 80, "http://[::1]:80"),
        (":80", "0.0.0.0", 80, "http://127.0.0.1:80"),  # noqa: S104 - parsed, not bound
        ("example.com:0", "example.com", 0, "http://example.com:0"),
    ],
)
def test_address(text, host, port, url):
    """An address is a host and a port; it is shown as one opens it."""
    address = parse_address(text)

    assert (address.host, address.port, address.url) == (host, port, url)


@pytest.mark.parametrize("text", ["8090", "host:", "host:x", "host:70000", "host:-1", "host:٣", ""])
def test_bad_address(text):
    """What is no address is refused."""
    with pytest.raises(BadConfig):
        parse_address(text)
