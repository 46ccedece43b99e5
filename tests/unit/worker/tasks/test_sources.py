"""Data and images of specs, on a machine whose configuration allows some folders."""

from pathlib import Path
from typing import Any

import pytest

from sweepstake.errors import ConfigurationError
from sweepstake.spec import DataMount
from sweepstake.worker.tasks.sources import Mount, Sources, read_sources


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A folder that is allowed, with data in it; beside it is one that is not."""
    root = tmp_path / "allowed"
    for folder in (root / "set/part", root / "written", tmp_path / "secret"):
        folder.mkdir(parents=True)
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "set" / "up").symlink_to("..")
    (root / "inner").symlink_to(root / "set")
    return root


@pytest.fixture
def sources(host: Path) -> Sources:
    """What the configuration says."""
    data = {
        "roots": [{"path": "written", "write": True}, str(host)],
        "beaker": {"ai2/set": "set"},
        "weka": {"bucket": {"path": "written", "write": True}, "readonly": "set"},
        "volumes": {"gone": "gone"},
        "host_paths": {"/net/nfs": "set", "/net/nfs/out/": {"path": "written", "write": True}},
    }
    return read_sources({**data}, {"ai2/image": "image:1"}, host, "config.toml")


def mount(sources: Sources, **source: Any) -> Mount:
    """Return what is found at /m; a result and a secret are this folder and this file."""
    here = Path(__file__).resolve()
    return sources.mount(DataMount.new("/m/", **source), lambda _: here.parent, lambda _: here)


@pytest.mark.parametrize(
    "source, found, write",
    [
        ({"beaker": "ai2/set"}, "set", False),
        ({"beaker": "ai2/set", "sub_path": "part", "mode": "readwrite"}, "set/part", False),
        ({"weka": "bucket"}, "written", True),
        ({"weka": "bucket", "mode": "readonly"}, "written", False),
        ({"weka": "readonly", "mode": "readonly", "sub_path": "/part"}, "set/part", False),
        ({"host_path": "{}/set/../set/part", "mode": "readonly"}, "set/part", False),
        ({"host_path": "{}/inner", "mode": "readonly"}, "set", False),
        ({"host_path": "{}/written"}, "written", True),
        ({"host_path": "/net/nfs", "mode": "readonly"}, "set", False),
        ({"host_path": "//net/./nfs/part/", "mode": "readonly"}, "set/part", False),
        ({"host_path": "/net/nfs/out"}, "written", True),
    ],
)
def test_data_is_found(host: Path, sources: Sources, source: dict[str, Any], found: str, write: bool) -> None:
    """By the configuration; a data set is never written to, and all else only where that is allowed."""
    source = {name: value.format(host) for name, value in source.items()}
    assert mount(sources, **source) == Mount(host=host / found, path="/m", write=write)


def test_results_and_secrets_are_only_read(sources: Sources) -> None:
    """They come from elsewhere."""
    here = Path(__file__).resolve()
    assert mount(sources, result="prepare", sub_path=here.name) == Mount(host=here, path="/m")
    assert mount(sources, secret="name") == Mount(host=here, path="/m")


@pytest.mark.parametrize(
    "source, told",
    [
        ({"beaker": "ai2/other"}, r"the data set 'ai2/other' is unknown here; map it in .* \[data.beaker\]"),
        ({"weka": "x"}, r"the bucket 'x' is unknown here; map it in .* \[data.weka\]"),
        ({"volume": "x"}, r"the volume 'x' is unknown here"),
        ({"volume": "gone", "mode": "readonly"}, "/m: '.*gone' cannot be used: No such file"),
        ({"weka": "readonly"}, "/m: may not be written here; say `mode: readonly` in the spec, or `write = true`"),
        ({"host_path": "{}/set", "mode": "readwrite"}, "/m: may not be written here"),
        ({"host_path": "{}/../secret", "mode": "readonly"}, "is in none of the folders that this machine allows"),
        ({"host_path": "{}/link", "mode": "readonly"}, "is in none of the folders"),
        ({"host_path": "{}2", "mode": "readonly"}, "cannot be used"),
        ({"host_path": "/etc", "mode": "readonly"}, "is in none of the folders"),
        ({"host_path": "/net/nfs/../x", "mode": "readonly"}, r"No such file.*\[data.host_paths\], \"/net/nfs/../x\""),
        ({"host_path": "/net/nfs/up", "mode": "readonly"}, "the sub-path 'up' leads out of"),
        ({"host_path": "/net/nfs"}, "/m: may not be written here"),
        ({"beaker": "ai2/set", "sub_path": "../../secret"}, "the sub-path '../../secret' leads out of"),
        ({"beaker": "ai2/set", "sub_path": "up"}, "leads out of"),
        ({"beaker": "ai2/set", "sub_path": "none"}, "cannot be used: No such file"),
        ({"weka": "bucket", "sub_path": "../link"}, "leads out of"),
    ],
)
def test_what_is_not_here_or_not_allowed_is_told(
    host: Path, sources: Sources, source: dict[str, Any], told: str
) -> None:
    """Neither dots nor links lead out of what is allowed."""
    with pytest.raises(ConfigurationError, match=told):
        mount(sources, **{name: value.format(host) for name, value in source.items()})


def test_links_in_a_circle_are_told(host: Path, sources: Sources) -> None:
    """As what they are."""
    (host / "a").symlink_to("b")
    (host / "b").symlink_to("a")
    with pytest.raises(ConfigurationError, match="cannot be used"):
        mount(sources, host_path=f"{host}/a", mode="readonly")


def test_an_image_of_beakers_is_mapped(sources: Sources) -> None:
    """One that is not is told, with what to write."""
    assert sources.image("ai2/image") == "image:1"
    with pytest.raises(ConfigurationError, match=r'\[images\], "ai2/x" = "IMAGE"'):
        sources.image("ai2/x")


@pytest.mark.parametrize(
    "data, images, told",
    [
        ([], None, "c.toml: data: must be a table"),
        ({"root": []}, None, "c.toml: data.root: is not a setting; there are roots, beaker, weka, volumes, host_paths"),
        ({"roots": "/x"}, None, "c.toml: data.roots: must be a list of folders"),
        ({"roots": [5]}, None, r"c.toml: data.roots\[0\]: must be the path of a folder"),
        ({"roots": [{"path": "/x", "write": 1}]}, None, r"c.toml: data.roots\[0\]: beside the path"),
        ({"roots": [{"path": "/x", "mode": "w"}]}, None, r"c.toml: data.roots\[0\]: beside the path"),
        ({"weka": "/x"}, None, "c.toml: data.weka: must be a table"),
        ({"weka": {"b": []}}, None, "c.toml: data.weka.b: must be the path"),
        (None, {"a": 1}, "c.toml: images.a: must be the name of an image"),
        (None, {"a": "--privileged"}, "c.toml: images.a: must be the name of an image"),
    ],
)
def test_a_wrong_configuration_is_told(data: Any, images: Any, told: str) -> None:
    """By the key that is wrong."""
    with pytest.raises(ConfigurationError, match=told):
        read_sources(data, images, Path("/"), "c.toml")
