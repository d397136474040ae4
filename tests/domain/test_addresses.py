"""Addresses that people name: no spelling of an internal one passes."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.addresses import BadAddress, check_git_remote, check_public_host, is_public, literal

LOOPBACK = (
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0X7F.1",
    "0177.0.0.1",
    "017700000001",
    "0x7f.0.0.0x1",
    "127.0.0.1.",
    "①②⑦.0.0.1",
    "①②⑦.1",
    "１２７.0.0.1",  # noqa: RUF001
    "127。0。0。1",
    "127．0．0．1",  # noqa: RUF001
    "127｡0｡0｡1",
    "١٢٧.٠.٠.١",  # noqa: RUF001
    "𝟏𝟐𝟕.𝟎.𝟎.𝟏",  # noqa: RUF001
)


@pytest.mark.parametrize("host", LOOPBACK)
def test_every_spelling_of_loopback_is_understood(host: str) -> None:
    assert literal(host) == ip_address("127.0.0.1")
    with pytest.raises(BadAddress, match="number"):
        check_public_host(host)


@pytest.mark.parametrize(
    ("host", "wanted"),
    [
        ("[::1]", "::1"),
        ("[::ffff:7f00:1]", "::ffff:127.0.0.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("⑯⑨.254.169.254", "169.254.169.254"),
        ("169.254.43518", "169.254.169.254"),
        ("0xa9.0xfe.0xa9.0xfe", "169.254.169.254"),
        ("hooks.example.org", None),
        ("1.2.3.4.5", None),
        ("256.1.1.1", None),
        ("1e3.example.org", None),
    ],
)
def test_other_literals(host: str, wanted: str | None) -> None:
    assert literal(host) == (None if wanted is None else ip_address(wanted))


@pytest.mark.parametrize(
    "host",
    [
        "⑯⑨.254.169.254",
        "256.1.1.1",
        "1.2.3.4.5",
        "999999999999",
        "08.1.1.1",
        "hooks.example.0x7f",
        "::1",
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "metadata.google.internal",
        "hub",
        "hub.hub.svc",
        "printer.local",
        "-a.example.org",
        "a b.example.org",
        "",
        "a..example.org",
        ".",
        "x" * 64 + ".example.org",
    ],
)
def test_hosts_that_are_no_public_name(host: str) -> None:
    with pytest.raises(BadAddress):
        check_public_host(host)


@pytest.mark.parametrize("host", ["hooks.example.org", "hooks.example.org.", "xn--bcher-kva.example", "1and1.example"])
def test_public_names_pass(host: str) -> None:
    check_public_host(host)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "168.63.129.16",
        "169.254.169.254",
        "169.254.170.2",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.168.0.1",
        "198.18.0.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:10.0.0.1",
        "::ffff:93.184.216.34",
        "::ffff:0:7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b::5db8:d822",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:0:53aa:64c:0:fbff:a247:2a55",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "3fff::1",
        "fc00::1",
        "fd00:ec2::254",
        "fd20:ce::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "4000::1",
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946", "172.32.0.1"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(ip_address(address))


@given(st.ip_addresses())
def test_nothing_is_public_that_python_knows_as_not_global(address: object) -> None:
    known = ip_address(str(address))
    if is_public(known):
        assert not known.is_multicast
        assert not known.is_private


@given(st.ip_addresses(v=4), st.sampled_from(["{0}.{1}.{2}.{3}", "{0:#x}.{1:#o}.{2}.{3}", "{0}.{1}.{4}", "{5}"]))
def test_every_number_is_read_as_the_system_reads_it(address: object, form: str) -> None:
    packed = list(ip_address(str(address)).packed)
    text = form.format(*packed, packed[2] * 256 + packed[3], int(ip_address(str(address)))).replace("0o", "0")
    assert literal(text) == ip_address(str(address))


@pytest.mark.parametrize(
    "remote",
    [
        "https://git.example.org/team/project.git",
        "https://ada@git.example.org:8443/team/project.git",
        "ssh://git@git.example.org/team/project.git",
        "ssh://git@git.example.org:2222/team/project.git",
        "git@git.example.org:team/project.git",
        "git.example.org:project.git",
        "https://10.1.2.3/project.git",
    ],
)
def test_git_remotes_that_are_used(remote: str) -> None:
    check_git_remote(remote)


@pytest.mark.parametrize(
    "remote",
    [
        "ext::sh -c 'id >/tmp/x'",
        "fd::17/project",
        "file:///etc",
        "file:/etc",
        "FILE:///etc",
        "http://git.example.org/project.git",
        "http://169.254.169.254/project.git",
        "https://169.254.169.254/project.git",
        "https://①⑥⑨.254.169.254/project.git",
        "git://git.example.org/project.git",
        "ftp://git.example.org/project.git",
        "https://",
        "https:///project.git",
        "https://host:99999/project.git",
        "https://a b/project.git",
        "https://git.example.org/a\nb",
        "ssh://-oProxyCommand=id/project.git",
        "ssh://-x@git.example.org/project.git",
        "-oProxyCommand=id:project.git",
        "git@-oProxyCommand=id:project.git",
        "git@git.example.org:-x",
        "git@git.example.org:",
        "--upload-pack=id",
        "transport::address",
    ],
)
def test_git_remotes_that_are_refused(remote: str) -> None:
    with pytest.raises(BadAddress):
        check_git_remote(remote)
