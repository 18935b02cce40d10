"""``khhw ctl``: what it prints, what goes where, what it refuses."""

import argparse
import json
import stat
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from khhw.cli import main
from khhw.cloud.ctl.arguments import add_commands
from khhw.cloud.ctl.perform import Streams, perform
from khhw.cloud.ctl.session import RefusedError, Session, UndoneError
from khhw.cloud.ssh_commands import Inside
from khhw.errors import RequestError
from khhw.kernels import probe
from khhw.kernels.approval import image_digest
from khhw.kernels.image import build_image
from tests.cloud.world import Facts, World


class Person:
    """Somebody at a terminal.

    Parameters
    ----------
    world : World
    token : str
    """

    def __init__(self, world: World, token: str) -> None:
        self._world = world
        self._token = token

    def ctl(self, line: str, *, wait: float = 60.0) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        parser = argparse.ArgumentParser()
        add_commands(parser)
        parser.set_defaults(json=False)
        arguments = parser.parse_args(line.split())
        streams = Streams()
        with httpx.Client(transport=_Settling(self._world), base_url="http://192.0.2.7:8480",
                          headers={"Authorization": f"Bearer {self._token}"}) as client:
            code = perform(Session(client, wait=wait), arguments, streams)
        return code, "".join(streams.out), "".join(streams.err)


class _Settling(httpx.BaseTransport):
    """Asks the application, and carries out behind each answer what is to be done."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._inside = Inside(world.app, world.loop)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._inside.handle_request(request)
        self._world.settle()
        return answer


@pytest.fixture
def person(world: World, facts: Facts) -> Callable[[str], Person]:
    """Somebody in a role."""
    return lambda role: Person(world, facts.tokens[role])


class TestAcquireNodes:
    def test_the_original_s_bytes(self, person: Callable[[str], Person], facts: Facts) -> None:
        code, out, err = person("stranger").ctl("acquireNodes -i rita 2")
        first = facts.network + 2
        assert (code, err) == (0, "")
        console = int(out.partition("@")[0].removeprefix("con"))
        assert out.encode() == (
            f"con{console}@192.0.2.7\nprotocol: uboot\nnetwork Internal : eth0\nnetwork {first} : eth1\n"
            "nodeinfo: 6 8 172.16.0.9\nnodeinfo: 7 9 172.16.0.10\nnodes: 6 7\n").encode()

    def test_networks_in_their_order(self, person: Callable[[str], Person]) -> None:
        rita = person("stranger")
        ids = [int(rita.ctl("network create")[1].split()[1]) for _ in range(2)]
        code, out, _ = rita.ctl(f"acquireNodes -x -i -n {ids[1]},{ids[0]} -p 1 rita")
        assert code == 0
        assert [line for line in out.splitlines() if line.startswith("network")] == [
            "network External : eth0", "network Internal : eth1", f"network {ids[1]} : eth2",
            f"network {ids[0]} : eth3", f"network {ids[1] + 1} : eth4"]

    def test_who_has_one_network_gets_it_and_who_has_several_must_say(
        self, person: Callable[[str], Person],
    ) -> None:
        rita = person("stranger")
        first = rita.ctl("acquireNodes rita")[1]
        second = rita.ctl("acquireNodes rita")[1]
        network = next(line for line in first.splitlines() if line.startswith("network"))
        assert network in second.splitlines()
        rita.ctl("release " + second.partition("@")[0])
        rita.ctl("network create")
        with pytest.raises(RefusedError, match="-n"):
            rita.ctl("acquireNodes rita")

    def test_a_lease_without_a_class_is_told_beside_the_original_s_bytes(
        self, person: Callable[[str], Person], monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        rita = person("stranger")
        assert rita.ctl("acquireNodes rita")[2] == ""
        monkeypatch.setattr("khhw.cloud.tree_classes.ROUTED_CLASSES", (1, 2, 3, 4))
        code, out, err = rita.ctl("acquireNodes rita")
        assert code == 0 and out.endswith("nodes: 7\n")
        assert err.startswith("warning: all 4 classes of the tree are other leases': what the nodes of this one say")
        first, second = (line for line in rita.ctl("list")[1].splitlines() if "con" in line and "rita" in line)
        assert " class 15, past all " in second and "past all" not in first

    def test_not_enough_nodes(self, person: Callable[[str], Person]) -> None:
        code, out, err = person("stranger").ctl("acquireNodes rita 3")
        assert code == 2 and out == "not enough nodes available\n"
        assert "3" in err

    def test_a_new_user(self, person: Callable[[str], Person]) -> None:
        owner = person("owner")
        code, out, _ = owner.ctl("acquireNodes -c longsecret newcomer 2")
        assert code == 0 and "nodes: 6 7" in out
        shown = json.loads(owner.ctl("principal show newcomer --json")[1])
        assert shown["usage"]["nodes"] == 2 and shown["parent"] == "owner"
        with pytest.raises(RequestError, match="is known"):
            owner.ctl("acquireNodes -c longsecret newcomer")
        with pytest.raises(RefusedError, match="nobody2"):
            owner.ctl("acquireNodes nobody2")

    def test_as_json(self, person: Callable[[str], Person]) -> None:
        code, out, _ = person("stranger").ctl("acquireNodes --json rita")
        found = json.loads(out)
        assert code == 0 and found["text"].startswith("con") and found["lease"]["nodes"] == [6]
        assert found["intent"]["state"] == "done"


class TestLeases:
    def test_a_lease_s_life(self, person: Callable[[str], Person]) -> None:
        rita = person("stranger")
        console = rita.ctl("acquireNodes --seconds 100 rita")[1].partition("@")[0]
        assert rita.ctl(f"rename {console} mine")[1] == f"{console} is called mine\n"
        assert "active, rita has nodes 6-7" in rita.ctl("add mine")[1]
        assert "active, rita has node 7" in rita.ctl("remove mine 6")[1]
        assert "ends at" in rita.ctl("extend mine --seconds 5")[1]
        heading, left, there = (line.split() for line in rita.ctl(f"readings {console}")[1].splitlines())
        assert heading[-4:] == ["bytes", "byte-hops", "busy", "cycles"]
        assert left[0] == "6" and left[4:] == ["own", "1000", "0", "0", "0", "0", "0"], "one stay, of 1000 packets"
        assert there[0] == "7" and there[4:8] == ["so", "far", "own", "1000"], "not over yet"
        assert "None" not in rita.ctl("show mine")[1] and " to now" in rita.ctl("show mine")[1]
        listed = rita.ctl("list")[1]
        assert console in listed and "mine" in listed
        assert "deleted" in rita.ctl("release mine")[1]
        assert rita.ctl("list")[1] == "no leases\n"
        assert "deleted" in rita.ctl("list --ended")[1]
        for word in (console, "mine"):
            assert "so far" not in rita.ctl(f"readings {word}")[1] and "deleted" in rita.ctl(f"show {word}")[1]
            with pytest.raises(RefusedError, match="lease mine has ended"):
                rita.ctl(f"release {word}")
        with pytest.raises(RequestError, match=r"has or had the console con99; .* --ended"):
            rita.ctl("show con99")
        again = rita.ctl("acquireNodes rita")[1].partition("@")[0]
        rita.ctl(f"rename {again} mine")
        assert "active" in rita.ctl("show mine")[1], "those that go on come first"
        rita.ctl("release mine")
        with pytest.raises(RefusedError, match=r"several leases with the name mine have ended; .*--ended"):
            rita.ctl("show mine")

    def test_let_on_and_taken_back(self, person: Callable[[str], Person], facts: Facts) -> None:
        sam = person("self")
        out = sam.ctl("sublet part tom --nodes 3")[1]
        assert "tom has node 3" in out
        assert "3-4" in sam.ctl("show part")[1]
        assert person("sub-tenant").ctl(f"release {out.partition(':')[0]}")[0] == 0
        assert json.loads(sam.ctl("show part --json")[1])["sublet"] == [4]

    def test_given_away(self, person: Callable[[str], Person]) -> None:
        rita, sam = person("stranger"), person("self")
        console = rita.ctl("acquireNodes rita")[1].partition("@")[0]
        assert "offered to sam" in rita.ctl(f"transfer {console} sam")[1]
        uuid = json.loads(sam.ctl("list --json")[1])[-1]["uuid"]
        assert "active, offered to sam" in sam.ctl("list")[1]
        assert sam.ctl(f"decline {uuid}")[1] == "it is declined\n"
        rita.ctl(f"transfer {console} sam")
        assert "sam has node 6" in sam.ctl(f"accept {uuid}")[1]
        with pytest.raises(RefusedError, match=r"lease .* has ended"):
            rita.ctl(f"release {console}")

    def test_relays_are_told_and_refused(self, person: Callable[[str], Person], facts: Facts) -> None:
        rita = person("stranger")
        person("self").ctl(f"network share {facts.network} --with rita")
        rita.ctl(f"network accept {facts.network}")
        one = int(rita.ctl("network create")[1].split()[1])
        first = rita.ctl(f"acquireNodes -n {one} rita")[1].partition("@")[0]
        # Node 6 joins sam's network too, and can pass on from node 2 to node 7.
        second = rita.ctl(f"acquireNodes -n {one} rita")[1].partition("@")[0]
        line = f"network join {facts.network} {first}"
        with pytest.raises(RefusedError, match="relay"):
            rita.ctl(f"{line} --strict")
        out = rita.ctl(line)[1]
        # Sam's nodes 2 and 3 talk already: 2 and 3 reach 7 now, and 6 reaches 3.
        assert "6 pairs of nodes that could not talk at all can now" in out
        assert "2 -> 7 through 6" in out and "3 -> 6 through 2" in out and "3 -> 7 through 2,6" in out
        assert second

    def test_what_makes_no_sense(self, person: Callable[[str], Person]) -> None:
        sam = person("self")
        for line, said in (
            ("add part 1 --nodes 6", "not both"), ("remove part x", "list of ranks"),
            ("remove part all", "list of ranks"), ("remove part 4-3", "list of ranks"),
            ("extend part", "--seconds, --until"), ("show nope", "nope"),
            ("show con999", "con999"), ("show ../principals", "principals"), ("network show 77", "77"),
            ("console share nine --with tom", "as in con7"), ("quota tom --nodes many", "--nodes takes a number"),
            ("image approve /nowhere", "/nowhere"), ("extend part --until yesterday", "until"),
        ):
            with pytest.raises(RequestError, match=said):
                sam.ctl(line)


class TestPrincipals:
    def test_a_new_one_has_a_token(
        self, person: Callable[[str], Person], world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        code, out, _ = person("owner").ctl("principal create nina --nodes 1 --seconds none")
        token = (tmp_path / "nina.token").read_text(encoding="utf-8").strip()
        assert code == 0 and token not in out and "nina.token" in out
        assert stat.S_IMODE((tmp_path / "nina.token").stat().st_mode) == 0o600
        assert "nodes       0 of 1" in Person(world, token).ctl("whoami")[1]
        with pytest.raises(RequestError, match="is there already"):
            person("owner").ctl("principal create nina")
        with pytest.raises(RefusedError):
            person("owner").ctl("token create nobody")
        assert not (tmp_path / "nobody.token").exists()

    def test_tokens_are_taken_back(
        self, person: Callable[[str], Person], world: World, tmp_path: Path,
    ) -> None:
        rita = person("stranger")
        made = json.loads(rita.ctl(f"token create --label phone --token-file {tmp_path / 'phone'} --json")[1])
        other = Person(world, (tmp_path / "phone").read_text(encoding="utf-8").strip())
        assert "phone" in other.ctl("token list")[1]
        assert "no longer" in rita.ctl(f"token revoke {made['id']}")[1]
        with pytest.raises(RefusedError) as refused:
            other.ctl("whoami")
        assert refused.value.status == 401

    def test_who_may_hold_no_nodes_is_told(self, person: Callable[[str], Person], tmp_path: Path) -> None:
        out = person("owner").ctl(f"principal create nora --token-file {tmp_path / 'token'}")[1]
        assert out.endswith("nora may hold no nodes yet: khhw ctl quota nora --nodes N\n")

    def test_quota(self, person: Callable[[str], Person]) -> None:
        owner = person("owner")
        assert "nodes     0 of 2" in owner.ctl("quota rita --nodes 2")[1]
        assert "nodes     0 of 2" in person("stranger").ctl("quota")[1]
        assert "any number" in owner.ctl("quota rita --leases none")[1]
        assert "seconds   1000000.5\n" in owner.ctl("quota rita --seconds 1000000.5")[1]
        owner.ctl("quota rita --nodes 1")
        with pytest.raises(RefusedError, match="the quota of rita is 1 nodes"):
            person("stranger").ctl("acquireNodes rita 2")


class TestMachine:
    def test_images(self, person: Callable[[str], Person], tmp_path: Path) -> None:
        owner, image = person("owner"), tmp_path / "kernel.image"
        image.write_bytes(b"a kernel")
        with pytest.raises(RequestError, match=r"kernel\.image is no image .*; khhw image KERNEL makes one"):
            owner.ctl(f"image approve {image}")
        built = build_image(probe)
        # What is behind an image is none of it: loaders read as much as its header says.
        image.write_bytes(built + b"behind")
        digest = owner.ctl(f"image approve {image}")[1].split()[0]
        assert digest == image_digest(built)
        assert "kernel.image" in person("stranger").ctl("images")[1]
        owner.ctl(f"image withdraw {digest}")
        assert owner.ctl("images")[1] == "no image may boot\n"

    def test_what_there_is(self, person: Callable[[str], Person]) -> None:
        owner = person("owner")
        assert "tom" in owner.ctl("nodes")[1] and "rita" not in owner.ctl("nodes")[1]
        assert "tom" not in person("stranger").ctl("nodes")[1]
        assert "3x3x1" in owner.ctl("machine")[1]
        assert "club" in owner.ctl("networks")[1] or "club" in person("self").ctl("networks")[1]
        assert "acquire" in owner.ctl("audit --limit 1000")[1]
        assert owner.ctl("intents")[1] == "nothing is on its way\n"
        assert owner.ctl("check")[1].startswith("clean")
        assert "quarantined" in owner.ctl("node quarantine 7")[1] + owner.ctl("nodes")[1]
        assert "node 7 is free" in owner.ctl("node restore 7")[1]


class _Wire(httpx.BaseTransport):
    """Loses answers."""

    def __init__(self, answers: list[httpx.Response | Exception]) -> None:
        self.answers = answers
        self.keys: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.keys.append(request.headers.get("idempotency-key", ""))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def session(monkeypatch: pytest.MonkeyPatch, *answers: httpx.Response | Exception) -> tuple[Session, _Wire]:
    """A session over such a wire, that does not wait."""
    monkeypatch.setattr("khhw.cloud.ctl.session._PAUSE", 0)
    wire = _Wire(list(answers))
    return Session(httpx.Client(transport=wire, base_url="http://192.0.2.7:1")), wire


class TestSession:
    def test_a_lost_answer_is_asked_for_again_with_the_same_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked, wire = session(
            monkeypatch, httpx.RemoteProtocolError("gone"), httpx.Response(503, json={"detail": "full"}),
            httpx.Response(201, json={"id": 7}))
        assert asked.change("POST", "/v1/networks", {}) == {"id": 7}
        assert len(wire.keys) == 3 and len(set(wire.keys)) == 1 and wire.keys[0]

    def test_nobody_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked, wire = session(monkeypatch, httpx.ConnectError("[Errno 111] refused."))
        with pytest.raises(RequestError, match=r"no service answers at http://192\.0\.2\.7:1: refused; is"):
            asked.get("/v1/leases")
        assert len(wire.keys) == 1

    def test_somebody_else_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for answer in (httpx.Response(200, text="<html>"), httpx.Response(404, json=[]),
                       httpx.Response(404, json={"detail": 3})):
            asked, _ = session(monkeypatch, answer)
            with pytest.raises(RequestError, match="is no service of khhw's cloud"):
                asked.get("/v1/leases")

    def test_a_machine_that_does_not_do_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        intent = {"id": "abc", "state": "running", "error": "node 3 does not answer"}
        asked, _ = session(monkeypatch, httpx.Response(202, json=intent))
        asked._wait = 0.01
        with pytest.raises(UndoneError, match=r"node 3 does not answer; khhw ctl intent abc"):
            asked.intend("DELETE", "/v1/leases/x")

    @pytest.mark.parametrize("end", [httpx.ConnectError("refused."), httpx.Response(500, text="Internal Server Error")])
    def test_a_service_that_ends_after_it_has_accepted(
        self, monkeypatch: pytest.MonkeyPatch, end: httpx.Response | Exception,
    ) -> None:
        accepted = httpx.Response(202, json={"id": "abc", "state": "running", "error": None})
        asked, _ = session(monkeypatch, accepted, end)
        with pytest.raises(UndoneError, match=r"is accepted, and will be made.*do not ask again: khhw ctl intent abc"):
            asked.intend("POST", "/v1/leases")

    def test_an_answer_that_is_lost_for_good(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked, _ = session(monkeypatch, httpx.RemoteProtocolError("gone"), httpx.ConnectError("refused."))
        with pytest.raises(UndoneError, match="not known whether the change is accepted: no service answers"):
            asked.change("POST", "/v1/networks", {})


@pytest.mark.parametrize(("options", "environment", "said"), [
    ([], {}, "who are you"), (["--token-file", "/nowhere"], {}, "/nowhere"),
    ([], {"KHHW_TOKEN": "a b"}, "something else than a token"),
    (["--url", "ftp://x"], {"KHHW_TOKEN": "t"}, "ftp://x"), (["--url", "http://x:99999"], {"KHHW_TOKEN": "t"}, "99999"),
    (["--url", "http://"], {"KHHW_TOKEN": "t"}, "http"), (["--url", "http://h/path"], {"KHHW_TOKEN": "t"}, "/path"),
    (["--wait", "-1"], {"KHHW_TOKEN": "t"}, "--wait"), (["--wait", "nan"], {"KHHW_TOKEN": "t"}, "--wait"),
    (["--url", "https://127.0.0.1:1", "--cafile", "/nowhere"], {"KHHW_TOKEN": "t"}, "/nowhere"),
    (["--url", "http://127.0.0.1:1"], {"KHHW_TOKEN": "t"}, "no service answers"),
])
def test_options_that_make_no_sense(
    options: list[str], environment: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("KHHW_TOKEN", "KHHW_TOKEN_FILE", "KHHW_CLOUD", "KHHW_CAFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert main(["ctl", *options, "list"]) == 2
    assert said in capsys.readouterr().err


def test_without_the_libraries(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert main(["ctl", "list"]) == 2
    assert "pip install 'khhw[cloud]'" in capsys.readouterr().err
