"""Records further kinds of cassettes with the real vcrpy, and a manifest of what each must return.

  python record_more.py FOLDER URL
"""
import asyncio, json, os, sys
import httpx, requests, vcr

folder, url = sys.argv[1], sys.argv[2]
cassettes = {}
STANDARD = dict(filter_headers=["authorization"], filter_post_data_parameters=["password", "token"])


def step(method, path, headers, body, status, reason, got, content):
    keep = {k.lower(): v for k, v in got.items() if k.lower() in ("etag", "content-type", "retry-after", "x-multi")}
    return {"method": method, "url": url + path, "request_headers": headers, "request_body_hex": body.hex(),
            "expect": {"status": status, "reason": reason, "headers": keep, "body_hex": content.hex()}}


def record(name, calls, client="requests", session=None, **options):
    steps = []
    with vcr.VCR(**STANDARD).use_cassette(os.path.join(folder, name), **options):
        for method, path, headers, body in calls:
            if client == "httpx":
                with httpx.Client(follow_redirects=True) as c:
                    r = c.request(method, url + path, headers=headers, content=body)
                reason = r.reason_phrase
            else:
                r = requests.request(method, url + path, headers=headers, data=body() if callable(body) else body)
                reason = r.reason
            sent = b"" if body is None else body if isinstance(body, bytes) else b"".join(body())
            steps.append(step(method, path, headers, sent, r.status_code, reason, r.headers, r.content))
    cassettes[name] = {"options": {}, "steps": steps}


GETS = [("GET", p, {}, None) for p in ("/gzip", "/deflate", "/users/1", "/cookies", "/binary")]
record("04_decoded.yaml", GETS, decode_compressed_response=True)
record("04_decoded_httpx.yaml", GETS, client="httpx", decode_compressed_response=True)
record("05_redirect_httpx.yaml", [("GET", "/redirect/1", {}, None)], client="httpx")
record("07_chunked.yaml", [("GET", "/chunked", {}, None), ("GET", "/users?x=1&y=", {}, None)])
record("07_chunked_httpx.yaml", [("GET", "/chunked", {}, None), ("GET", "/text/latin1", {}, None)], client="httpx")
record("13_query.yaml",
       [("GET", "/users?b=2&api_key=SECRET&sig=abc&a=x%20y&flag", {}, None), ("GET", "/users?a=1", {}, None)],
       filter_query_parameters=["api_key", ("sig", "S")])
record("14_httpx_torture.yaml",
       [("GET", "/text/" + k, {}, None) for k in ("empty", "yes", "float", "crlf", "ctrl", "utf8", "doc", "long")],
       client="httpx")
record("15_iterator.yaml", [("POST", "/upload", {}, lambda: iter([b"one,", b"\xfftwo,", b"three"]))])
record("15_text_iterator.yaml", [("POST", "/upload", {}, lambda: iter([b"one,", b"two"]))])
record("16_sensitive.yaml", [("GET", "/users/1", {}, None)], filter_sensitive_data={"<NAME>": "Leanne Graham"})
record("no_suffix", [("GET", "/users/2", {}, None)])
record("17_json_no_suffix", [("GET", "/users/3", {}, None)], serializer="json")
record("17_json.json", [("GET", "/text/utf8", {}, None), ("GET", "/gzip", {}, None)], serializer="json")

with vcr.use_cassette(os.path.join(folder, "18_metadata.yaml")) as cassette:
    cassette.get_metadata("seed", {"n": 1, "list": [1.5, True, None, "yes"], "b": b"\xff"})
    r = requests.get(url + "/users/1")
    cassettes["18_metadata.yaml"] = {"options": {}, "steps": [
        step("GET", "/users/1", {}, b"", 200, "OK", r.headers, r.content)]}


async def concurrently():
    with vcr.use_cassette(os.path.join(folder, "19_async.yaml")):
        async with httpx.AsyncClient() as c:
            r = await c.get(url + "/status/429")
            return [step("GET", "/status/429", {}, b"", r.status_code, r.reason_phrase, r.headers, r.content)]

cassettes["19_async.yaml"] = {"options": {}, "steps": asyncio.run(concurrently())}
json.dump({"cassettes": cassettes}, open(os.path.join(folder, "manifest.json"), "w"))
