"""Which requests are the same, which is nearest, and what is said about the difference."""

from __future__ import annotations

import json
import random
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cassette_stream.cassette.match import Matchers, matchers
from cassette_stream.cassette.model import Request
from cassette_stream.cassette.redact import Redactor

URL = "https://api.test/v1/chat/completions"
ALL = ("method", "scheme", "host", "port", "path", "query", "url", "headers", "body")

names = st.text(alphabet='ab.*[]"\\ \u00e9\ud800', max_size=3)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.sampled_from([0.0, 1.0, -0.0, 0.5, 1e300])
    | st.text(alphabet="ab\n\u00e9", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
bodies = values.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=8)
pairs = st.lists(st.tuples(names, st.text(alphabet="a&=+ %", max_size=3)), max_size=4)
requests = st.builds(
    lambda method, host, query, headers, body: Request(
        method=method,
        url=f"https://{host}/v1?{urlencode(query, errors='surrogatepass')}",
        headers=headers,
        body=body,
    ),
    st.sampled_from(["GET", "POST"]),
    st.sampled_from(["api.test", "api.test:443", "API.test", "api.test:80", "[::1]"]),
    pairs,
    st.dictionaries(
        st.sampled_from(["accept", "content-type", "host"]),
        st.lists(st.text(alphabet="ab", max_size=2), max_size=2).map(tuple),
    ),
    bodies,
)


def post(body: object = b"", *, url: str = URL, method: str = "POST", **headers: str) -> Request:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lists = {name.replace("_", "-"): (text,) for name, text in headers.items()}
    return Request(method=method, url=url, headers=lists, body=raw)


def difference(recorded: Request, live: Request, **options: Any) -> str:
    """The words for the difference, empty where the two agree; verdict and words agree."""
    against = matchers(**options).against(live)
    words = "\n".join(against.differences(recorded))

    assert against.agrees(recorded) == (not words)
    return words


def shuffled(value: object, chance: random.Random) -> object:
    """The same JSON value, with members in another order and 1 as 1.0 and back."""
    if isinstance(value, dict):
        items = [(name, shuffled(each, chance)) for name, each in value.items()]
        chance.shuffle(items)
        return dict(items)
    if isinstance(value, list):
        return [shuffled(each, chance) for each in value]
    if isinstance(value, int | float) and not isinstance(value, bool) and value == int(value):
        return chance.choice([int(value), float(value)])
    return value


@given(request=requests)
def test_a_request_agrees_with_itself(request: Request) -> None:
    assert not difference(request, request, match_on=ALL)


@given(one=requests, other=requests)
def test_the_verdict_is_the_same_from_both_sides(one: Request, other: Request) -> None:
    for part in ALL:
        there = difference(one, other, match_on=[part])
        back = difference(other, one, match_on=[part])

        assert bool(there) == bool(back)


@given(value=values, chance=st.randoms(use_true_random=False))
def test_neither_member_order_nor_spelling_of_json_matters(
    value: object, chance: random.Random
) -> None:
    other = json.dumps(shuffled(value, chance), indent=1, ensure_ascii=chance.random() < 0.5)

    assert not difference(post(value), post(other.encode("utf-8", "surrogatepass")))


@given(query=pairs, chance=st.randoms(use_true_random=False))
def test_the_order_of_the_query_never_matters(
    query: list[tuple[str, str]], chance: random.Random
) -> None:
    other = chance.sample(query, len(query))
    one, two = (f"{URL}?{urlencode(each, errors='surrogatepass')}" for each in (query, other))

    assert not difference(post(url=one), post(url=two), match_on=["url", "query"])


@given(value=values, other=values)
def test_json_bodies_agree_if_and_only_if_they_are_the_same_value(
    value: object, other: object
) -> None:
    def typed(each: object) -> object:
        """Equal for equal JSON values: Python takes True for 1."""
        if isinstance(each, dict):
            return {name: typed(inner) for name, inner in each.items()}
        if isinstance(each, list):
            return [typed(inner) for inner in each]
        return isinstance(each, bool), each

    assert (not difference(post(value), post(other))) == (typed(value) == typed(other))


@given(value=values, paths=st.lists(names, max_size=3))
def test_what_is_ignored_may_be_anything(value: object, paths: list[str]) -> None:
    path = "".join(f"[{json.dumps(name)}]" for name in ("known", *paths))
    one: Any = {"known": {}, "other": 1}
    two: Any = {"known": {}, "other": 1}
    inner = two
    for name in ("known", *paths[:-1]):
        inner = inner.setdefault(name, {})
    if paths:
        inner[paths[-1]] = value
        for name in reversed(paths[:-1]):
            inner = {name: inner}

    kept = json.loads(json.dumps(two))
    here = kept
    for name in ("known", *paths)[:-1]:
        here = here[name]
    here.pop(("known", *paths)[-1], None)

    assert not difference(post(kept), post(two), ignore=[path])
    assert bool(difference(post(one), post({**two, "other": 2}), ignore=[path]))


@pytest.mark.parametrize(
    ("recorded", "live", "words"),
    [
        ({"a": 1}, {"a": 1.0}, ""),
        ({"a": True}, {"a": 1}, "body: a: True != 1"),
        ({"a": None}, {}, "body: a: only recorded: None"),
        ({}, {"a": [1]}, "body: a: only live: [1]"),
        ({"a": "1"}, {"a": 1}, "body: a: '1' != 1"),
        ([1, 2], [1], "body: [1]: only recorded: 2"),
        ({"a": {"b": 1}}, {"a": [1]}, "body: a: {'b': 1} != [1]"),
        (
            {"messages": [{"content": "a"}]},
            {"messages": [{"content": "b"}]},
            "body: messages[0].content: 'a' != 'b'",
        ),
        ({"a.b": {"c d": 1}}, {"a.b": {"c d": 2}}, 'body: ["a.b"]["c d"]: 1 != 2'),
        (1e300, 10**300, "body: " + f"{int(1e300)}"[:60] + "..."),
        (b"", b"{}", "body: b'' != {}"),
        (b"a=1&b=2", b"a=1&b=3", "body: 'a=1&b=2' != 'a=1&b=3'"),
        (b"\xff\x00", b"\xff\x01", r"body: b'\xff\x00' != b'\xff\x01'"),
        (b"[1,]", b"[1, ]", "body: '[1,]' != '[1, ]'"),
        (b"[NaN]", b"[NaN]", ""),
        (b"[1e999]", b"[1e998]", "body: '[1e999]' != '[1e998]'"),
        (b'"a"', b"a", "body: 'a' != b'a'"),
        (b"a\nb\nc", b"a\nB\nc", "body: from line 2:\n- b\n+ B"),
        (b"a\nb", b"a\nb\nc\n", "body: from line 3:\n+ c\n+ "),
        (
            "x" * 50 + "one" + "y" * 50,
            "x" * 50 + "two" + "y" * 50,
            "body: ..." + "x" * 20 + "one" + "y" * 37 + "... != ..."
            + "x" * 20 + "two" + "y" * 37 + "...",
        ),
    ],
)  # fmt: skip
def test_bodies_are_json_values_or_bytes(recorded: object, live: object, words: str) -> None:
    found = difference(post(recorded), post(live))

    assert found == words or (words.endswith("...") and found.startswith(words))


@pytest.mark.parametrize(
    ("recorded", "live", "words"),
    [
        ("https://a.test/x", "https://a.test:443/x#part", ""),
        ("https://A.test", "HTTPS://a.test/", ""),
        ("https://a.test/?q=a%20b", "https://a.test/?q=a+b", ""),
        ("https://a.test/x", "http://a.test/x", "url: scheme: 'https' != 'http'\nurl: port: 443 != 80"),
        ("https://a.test/x", "https://b.test/x", "url: host: 'a.test' != 'b.test'"),
        ("https://a.test/x", "https://a.test:8/x", "url: port: 443 != 8"),
        ("https://a.test/x", "https://a.test/X", "url: path: '/x' != '/X'"),
        ("https://a.test/?v=1&v=2", "https://a.test/?v=2&v=1", ""),
        ("https://a.test/?v=1", "https://a.test/?v=1&v=1", "url: query.v: '1' != ['1', '1']"),
        ("https://a.test/?v=", "https://a.test/", "url: query.v: only recorded: ''"),
        ("https://a.test/?v=%FF", "https://a.test/?v=%FE", r"url: query.v: '\udcff' != '\udcfe'"),
        ("https://me@a.test/", "https://a.test/", "url: user: 'me' != ''"),
        ("http://[::1/", "http://[::1/", ""),
        ("http://a.test:x/", "http://a.test:y/", "url: text: 'http://a.test:x/' != 'http://a.test:y/'"),
    ],
)  # fmt: skip
def test_urls_are_compared_by_what_they_mean(recorded: str, live: str, words: str) -> None:
    assert difference(post(url=recorded), post(url=live), match_on=["url"]) == words


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("method", post(method="PUT")),
        ("scheme", post(url="http://api.test:443/v1/chat/completions")),
        ("host", post(url="https://other.test/v1/chat/completions")),
        ("port", post(url="https://api.test:8443/v1/chat/completions")),
        ("path", post(url="https://api.test/v2")),
        ("query", post(url=URL + "?a=1")),
        ("headers", post(x_trace="1")),
        ("body", post(b"x")),
    ],
)
def test_each_part_sees_its_own_and_no_other(part: str, other: Request) -> None:
    assert difference(post(), other, match_on=[part]).startswith(f"{part}: ")
    others = [each for each in ALL if each not in {part, "url"}]

    assert not difference(post(), other, match_on=others)


def test_headers_of_the_transport_do_not_count_and_others_do() -> None:
    recorded = post(content_length="3", host="a", accept_encoding="gzip", x_trace="1", accept="a")
    live = post(content_length="4", connection="close", x_trace="2")

    assert difference(recorded, live, match_on=["headers"]) == (
        "headers: x-trace: '1' != '2'\nheaders: accept: only recorded: 'a'"
    )
    assert not difference(
        recorded, live, match_on=["headers"], ignore=["header:X-Trace", "header:accept"]
    )


def test_the_boundary_of_a_multipart_body_does_not_count() -> None:
    def multipart(boundary: str, content: str) -> Request:
        body = f'--{boundary}\r\ncontent-disposition: form-data; name="a"\r\n\r\n{content}\r\n--{boundary}--'
        return post(body.encode(), content_type=f"multipart/form-data; boundary={boundary}")

    on = ["headers", "body"]

    assert not difference(multipart("f00d", "x"), multipart("beef", "x"), match_on=on)
    assert difference(multipart("f00d", "x"), multipart("beef", "y"), match_on=on) == (
        "body: from line 4:\n- x\r\n+ y\r"
    )
    assert difference(
        post(b"--a", content_type="multipart/mixed"), post(b"--b", content_type="multipart/mixed")
    )


@pytest.mark.parametrize(
    ("ignore", "recorded", "live"),
    [
        ("metadata.run_id", {"metadata": {"run_id": 1}}, {"metadata": {"run_id": 2}}),
        ("metadata.run_id", {"metadata": {}}, {"metadata": {"run_id": 2}}),
        ("$.metadata.run_id", {"metadata": {"run_id": 1}}, {"metadata": {"run_id": 2}}),
        ("messages[*].id", {"messages": [{"id": 1}, {}]}, {"messages": [{}, {"id": 2}]}),
        ("messages[0]", {"messages": [1, 2]}, {"messages": [3, 2]}),
        ("messages[-1]", {"messages": [1, 2]}, {"messages": [1, 3]}),
        ("*.id", {"a": {"id": 1}, "b": [{"id": 1}]}, {"a": {"id": 2}, "b": [{"id": 1}]}),
        ("[*].id", [{"id": 1}], [{"id": 2}]),
        ('tools["x.y"]', {"tools": {"x.y": 1}}, {"tools": {"x.y": 2}}),
    ],
)
def test_ignored_paths_do_not_count(ignore: str, recorded: object, live: object) -> None:
    assert difference(post(recorded), post(live))
    assert not difference(post(recorded), post(live), ignore=[ignore])


@pytest.mark.parametrize("ignore", ["a", "a.b", "a[5]", "a[*]", "[0]", "b.c", "a[-3]", "a[0].b"])
def test_paths_that_lead_nowhere_change_nothing(ignore: str) -> None:
    assert difference(post({"x": "one"}), post({"x": "two"}), ignore=[ignore])
    assert not difference(post({"x": 1, "a": "b"}), post({"a": "b", "x": 1}), ignore=[ignore])


def test_two_ignored_items_are_the_two_that_are_named() -> None:
    recorded, live = {"a": [1, 2, 3]}, {"a": [7, 8, 3]}

    assert not difference(post(recorded), post(live), ignore=["a[0]", "a[1]"])
    assert difference(post(recorded), post({"a": [7, 8, 9]}), ignore=["a[0]", "a[1]"])


def test_ignored_parameters_of_the_query_do_not_count() -> None:
    recorded, live = post({"q": 1}, url=URL + "?v=1&w=1"), post({"q": 1}, url=URL + "?v=2&w=1")

    assert difference(recorded, live)
    assert not difference(recorded, live, ignore=["query:v"])
    assert difference(recorded, live, ignore=["query:w", "v"])


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"match_on": ["uri"]}, ValueError, "no part 'uri'; did you mean 'url'?"),
        ({"match_on": ["zzz"]}, ValueError, "no part 'zzz' (there are: method, url"),
        ({"match_on": [7]}, TypeError, "names of parts and functions, not 7"),
        ({"ignore": [7]}, TypeError, "not 7"),
        ({"ignore": [""]}, ValueError, "is no path"),
        ({"ignore": ["a..b"]}, ValueError, "'..b' stands where a step should begin"),
        ({"ignore": [".a"]}, ValueError, "'.a' stands"),
        ({"ignore": ["a."]}, ValueError, "'.' stands"),
        ({"ignore": ["a[b]"]}, ValueError, "'[b]' stands"),
        ({"ignore": ["a[0]b"]}, ValueError, "'b' stands"),
        ({"ignore": ["a b"]}, ValueError, "' b' stands"),
        ({"ignore": ["query:"]}, ValueError, "':' stands"),
        ({"ignore": ["headers:x"]}, ValueError, "':x' stands"),
    ],
)
def test_bad_options_are_told_at_the_call(
    options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as raised:
        matchers(**options)
    assert words in str(raised.value)


# Placeholders.


def test_two_placeholders_at_one_place_are_equal() -> None:
    recorded = post({"key": "REDACTED-1", "b": "REDACTED-2"}, url=URL + "?key=REDACTED-1")
    live = post({"key": "REDACTED-7", "b": "REDACTED-1----"}, url=URL + "?key=REDACTED-2")

    assert not difference(recorded, live, match_on=("url", "body", "headers"))
    assert difference(recorded, post({"key": "REDACTED-1", "b": "REDACTED"}))


def test_a_dummy_key_in_ci_matches_the_key_that_was_recorded() -> None:
    def sent(key: str) -> Request:
        return Redactor().request(
            post({"tool": {"api_key": key}}, url=f"{URL}?key={key}", authorization=f"Bearer {key}")
        )

    real, dummy = sent("sk-proj-" + "aB3_" * 20), sent("dummy")

    assert not difference(real, dummy, match_on=("url", "headers", "body"))


# Functions as matchers.


def test_a_function_may_decide_and_says_why() -> None:
    def same_model(recorded: Request, live: Request) -> str | None:
        one, two = (json.loads(each.body)["model"] for each in (recorded, live))
        return None if one == two else f"model {one} was asked, not {two}"

    on = ["method", same_model]

    assert not difference(post({"model": "a", "n": 1}), post({"model": "a"}), match_on=on)
    assert difference(post({"model": "a"}), post({"model": "b"}), match_on=on) == (
        "model a was asked, not b"
    )


def test_a_function_that_differs_without_words_is_named() -> None:
    words = difference(post(), post(), match_on=[lambda recorded, live: ""])

    assert "does not say how" in words


def test_a_function_that_answers_with_a_boolean_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="gives None or the difference in words; .* gave True"):
        matchers(match_on=[lambda recorded, live: True]).against(post()).agrees(post())  # type: ignore[list-item]


# The nearest.


def nearest(options: Matchers, live: Request, *recorded: Request) -> tuple[int, str]:
    number, words = options.against(live).nearest(recorded)
    return number, "\n".join(words)


def test_the_nearest_is_the_one_with_the_most_parts_in_common() -> None:
    live = post({"a": 1, "b": 2})
    found = nearest(
        matchers(), live, post({"a": 1, "b": 2}, url="https://x/", method="GET"), post(b"other")
    )

    assert found == (1, "body: 'other' != {'a': 1, 'b': 2}".replace("'other'", "b'other'"))


def test_of_several_the_one_that_differs_in_the_fewest_lines_is_nearest() -> None:
    live = post({"model": "m", "messages": ["a", "b", "c"]})
    far, near = {"model": "x", "messages": ["d"]}, {"model": "m", "messages": ["a", "b", "x"]}
    found = nearest(matchers(), live, post(far), post(near), post(near))

    assert found == (1, "body: messages[2]: 'x' != 'c'")


def test_what_agrees_is_nearest_and_differs_in_nothing() -> None:
    assert nearest(matchers(), post(), post(b"x"), post(), post()) == (1, "")


def test_nothing_is_nearest_where_nothing_was_recorded() -> None:
    with pytest.raises(ValueError, match="nothing was recorded"):
        matchers().against(post()).nearest([])


def test_a_difference_is_never_longer_than_a_screen() -> None:
    recorded = post(list(range(1000)), url=URL + "?" + "&".join(f"a{n}=1" for n in range(99)))
    live = post({str(n): "x\n" * 99 for n in range(1000)}, url=URL, method="GET")
    words = difference(recorded, live, match_on=ALL).splitlines()

    assert len(words) <= 20
    assert max(map(len, words)) < 200


def test_long_texts_are_shown_where_they_begin_to_differ() -> None:
    recorded = "\n".join(["same"] * 500 + ["one"] * 9 + ["end"] * 500)
    live = "\n".join(["same"] * 500 + ["two"] * 6 + ["end"] * 500)

    assert difference(post({"text": recorded}), post({"text": live})).splitlines() == [
        "body: text: from line 501:",
        *["- one"] * 4,
        "- ... and 5 more lines",
        *["+ two"] * 4,
        "+ ... and 2 more lines",
    ]


def test_deep_bodies_are_compared_however_deep_they_are() -> None:
    for depth in (99, 100, 101, 900, 1000, 100_000):
        deep = b"[" * depth + b"]" * depth

        assert not difference(post(deep), post(deep))
        assert bool(difference(post(deep), post(deep + b" "))) == (depth > 100)
        assert difference(post(deep), post(b"[" + deep + b"]")).startswith("body: ")


def test_a_body_of_many_brackets_that_is_not_deep_is_json() -> None:
    assert not difference(post([[1]] * 200), post(b"[" + b",".join([b"[1.0]"] * 200) + b"]"))


def test_the_body_of_a_recorded_request_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []
    loads = json.loads

    def counted(body: bytes, **options: Any) -> Any:
        parsed.append(body)
        return loads(body, **options)

    recorded = [post({"n": n}) for n in range(10)]
    options = matchers()
    monkeypatch.setattr(json, "loads", counted)
    for n in range(10):
        against = options.against(post(f'{{"n": {n}.0}}'.encode()))

        assert [against.agrees(each) for each in recorded].index(True) == n
    assert len(parsed) == 20
