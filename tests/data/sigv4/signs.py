"""Signs requests as Amazon's clients do (botocore), sends them, changes them behind the signature, sends them again.

Prints a JSON object: for each request its status, the error's type and the text that came back.
"""

import datetime
import http.client
import json
import sys
from urllib.parse import urlsplit

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

BASE = sys.argv[1]
ROBOT = Credentials("AKIDROBOT", "made-up-robot-secret")
GUEST = Credentials("ASIDGUEST", "made-up-guest-secret", "made-up/token+=")
STRANGER = Credentials("AKIDOTHER", "made-up-other-secret")
FORGER = Credentials("AKIDROBOT", "made-up-wrong-secret")



def signed(method, path, body=None, headers=None, who=ROBOT, region="eu-west-1", service="execute-api", presign=None):
    request = AWSRequest(method=method, url=BASE + path, data=body, headers=headers or {})
    if presign:
        botocore.auth.SigV4QueryAuth(who, service, region, expires=presign).add_auth(request)
    else:
        botocore.auth.SigV4Auth(who, service, region).add_auth(request)
    return request


def announced(method, path, body):
    """With x-amz-content-sha256, as clients that stream send it."""
    digest = botocore.auth.sha256(body).hexdigest()
    return signed(method, path, body, {"X-Amz-Content-SHA256": digest})


def send(request, body=None, path=None, method=None, headers=None, chunked=False):
    prepared = request.prepare()
    url = urlsplit(prepared.url)
    target = path or (url.path + ("?" + url.query if url.query else ""))
    sent = {name: value.decode() if isinstance(value, bytes) else value for name, value in prepared.headers.items()}
    sent.update(headers or {})
    content = body if body is not None else prepared.body
    sent.pop("Content-Length", None)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=20)
    if chunked:
        content = iter([content[:3], content[3:]])
        sent["Transfer-Encoding"] = "chunked"
    connection.request(method or prepared.method, target, content, sent, encode_chunked=chunked)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return [answer.status, answer.getheader("x-amzn-ErrorType"), text]


def slow_clock(minutes):
    real = botocore.auth.get_current_datetime
    botocore.auth.get_current_datetime = lambda *a, **k: real(*a, **k) - datetime.timedelta(minutes=minutes)
    try:
        return signed("GET", "/prod/orders")
    finally:
        botocore.auth.get_current_datetime = real


body = b'{"item": 1}'
large = b"x" * 300_000
get = lambda **more: signed("GET", "/prod/orders?b=2&a=1", **more)
post = lambda: signed("POST", "/prod/orders", body, {"Content-Type": "application/json"})
print(json.dumps({
    "get": send(get()),
    "path with signs": send(signed("GET", "/prod/orders/a%20b%2Fc/$x~y@z")),
    "query with signs": send(signed("GET", "/prod/orders?x=a%20b&y=%2B%26&%C3%A4=1&z")),
    "post": send(post()),
    "post, large": send(signed("POST", "/prod/orders", large)),
    "post, announced": send(announced("POST", "/prod/orders", body)),
    "post, chunked": send(post(), chunked=True),
    "presigned": send(signed("GET", "/prod/orders?a=1", presign=60)),
    "temporary": send(get(who=GUEST)),
    "temporary, presigned": send(signed("GET", "/prod/orders", who=GUEST, presign=60)),
    "not allowed": send(signed("DELETE", "/prod/orders")),
    "denied": send(signed("GET", "/prod/secrets")),
    "unsigned": send(AWSRequest(method="GET", url=BASE + "/prod/orders")),
    "bearer": send(AWSRequest(method="GET", url=BASE + "/prod/orders", headers={"Authorization": "Bearer eyJhbGciOi"})),
    "stranger": send(get(who=STRANGER)),
    "forger": send(get(who=FORGER)),
    "another region": send(get(region="us-east-1")),
    "another service": send(get(service="s3")),
    "another query": send(get(), path="/prod/orders?b=2&a=3"),
    "another path": send(get(), path="/prod/other?b=2&a=1"),
    "another method": send(post(), method="PUT"),
    "another body": send(post(), body=b'{"item": 2}'),
    "another body, large": send(signed("POST", "/prod/orders", large), body=large[:-1] + b"y"),
    "another body, announced": send(announced("POST", "/prod/orders", body), body=b'{"item": 2}'),
    "no body": send(post(), body=b""),
    "another host": send(get(), headers={"Host": "other.example"}),
    "another header": send(post(), headers={"Content-Type": "text/plain"}),
    "a new header": send(get(), headers={"X-Amz-Target": "x"}),
    "unsigned payload": send(signed("POST", "/prod/orders", body, {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})),
    "expired": send(slow_clock(6)),
    "not yet": send(slow_clock(-6)),
}))
