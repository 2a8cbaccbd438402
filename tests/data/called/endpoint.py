"""An endpoint with Lambda's Invoke API before Amazon's own runtime interface client, which runs function.py.

Signatures are verified by making them again with botocore. Prints the port, and then a line per invocation.
"""

import os
import queue
import subprocess
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

CREDENTIALS = Credentials("AKIDGATEWAY", "made-up-gateway-secret", "made-up-session")
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:authorize"
waiting = queue.Queue()
answers = {}


class Again(SigV4Auth):
    """Signs at the time at which somebody else has."""

    def add_auth(self, request):
        request.context["timestamp"] = self.stamp
        self._modify_request_before_signing(request)
        string = self.string_to_sign(request, self.canonical_request(request))
        self._inject_signature_to_request(request, self.signature(string, request))

    def _modify_request_before_signing(self, request):
        super()._modify_request_before_signing(request)
        del request.headers["X-Amz-Date"]
        request.headers["X-Amz-Date"] = self.stamp


def is_signed(handler, body):
    given = handler.headers.get("Authorization", "")
    names = given.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    added = ("x-amz-date", "x-amz-security-token")
    headers = {name: handler.headers[name] for name in names if name not in added}
    url = f"http://{handler.headers['Host']}{handler.path}"
    request = AWSRequest(method="POST", url=url, headers=headers, data=body)
    again = Again(CREDENTIALS, "lambda", "eu-west-1")
    again.stamp = handler.headers.get("X-Amz-Date", "")
    again.add_auth(request)
    return request.headers["Authorization"] == given


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        # /2018-06-01/runtime/invocation/next
        name, body = waiting.get()
        self.answer(200, body, [
            ("Lambda-Runtime-Aws-Request-Id", name),
            ("Lambda-Runtime-Invoked-Function-Arn", FUNCTION),
            ("Lambda-Runtime-Deadline-Ms", "9999999999999"),
            ("Content-Type", "application/json"),
        ])

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.startswith("/2015-03-31/functions/"):
            return self.invoke(body)
        parts = self.path.split("/")
        if "invocation" in parts:
            answers[parts[-2]].put((parts[-1], body))
        self.answer(202)

    def invoke(self, body):
        signed = is_signed(self, body)
        named = unquote(self.path) == f"/2015-03-31/functions/{FUNCTION}/invocations"
        print(f"signed={signed} named={named}", flush=True)
        if not signed:
            return self.answer(403, b'{"Message":"The request signature we calculated does not match"}')
        if not named:
            return self.answer(404, b'{"Message":"Function not found"}')
        name = str(uuid.uuid4())
        answers[name] = queue.Queue()
        waiting.put((name, body))
        kind, said = answers[name].get()
        del answers[name]
        extra = [("X-Amz-Function-Error", "Unhandled")] if kind == "error" else []
        self.answer(200, said, extra)


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
port = server.server_address[1]
threading.Thread(target=server.serve_forever, daemon=True).start()
here = os.path.dirname(os.path.abspath(__file__))
environment = dict(os.environ, AWS_LAMBDA_RUNTIME_API=f"127.0.0.1:{port}", AWS_DEFAULT_REGION="eu-west-1",
                   AWS_LAMBDA_FUNCTION_NAME="authorize", LAMBDA_TASK_ROOT=here, AWS_LAMBDA_FUNCTION_VERSION="1",
                   AWS_LAMBDA_FUNCTION_MEMORY_SIZE="128", PYTHONPATH=here)
runtime = subprocess.Popen([sys.executable, "-m", "awslambdaric", "function.handler"], cwd=here, env=environment,
                           stdout=subprocess.DEVNULL, stderr=sys.stderr)
print(port, flush=True)
# Until whoever started this has gone.
sys.stdin.read()
runtime.kill()
