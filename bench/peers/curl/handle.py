"""One reusable libcurl transfer."""

from io import BytesIO

import pycurl

from bench.peers.curl.options import Options
from bench.peers.curl.result import abandoned, failure, headers
from delivery.transport import Ambiguous, Answer, Done, Endpoint, NotProcessed, Request, Result


def _nobody(_: Result) -> None:
    """Stand in while a transfer carries no request."""


class Handle:
    """Carries one request at a time; its buffers and its options are kept between requests.

    The body is given by a read function without a seek function. libcurl re-sends a request by
    itself when a used connection dies or a stream is refused; to do so it must rewind the body,
    which it can not, so it reports an error instead and nothing is sent twice.
    """

    def __init__(self, options: Options, endpoint: Endpoint) -> None:
        self._head = BytesIO()
        self._answer = BytesIO()
        self._body = BytesIO()
        self._done: Done = _nobody
        self.easy = pycurl.Curl()
        self._set_connection(options, endpoint)
        self.easy.setopt(pycurl.POST, 1)
        self.easy.setopt(pycurl.HEADERFUNCTION, self._head.write)
        self.easy.setopt(pycurl.WRITEFUNCTION, self._answer.write)

    def _set_connection(self, options: Options, endpoint: Endpoint) -> None:
        easy = self.easy
        easy.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTPS)
        easy.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE)
        easy.setopt(pycurl.PIPEWAIT, 1)
        easy.setopt(pycurl.NOSIGNAL, 1)
        easy.setopt(pycurl.NOPROXY, "*")
        easy.setopt(pycurl.CONNECTTIMEOUT_MS, int(options.connect_timeout_seconds * 1000))
        easy.setopt(pycurl.MAXAGE_CONN, options.idle_seconds)
        easy.setopt(pycurl.TCP_KEEPALIVE, 1)
        easy.setopt(pycurl.USERAGENT, "carillon")
        if options.ca_file is not None:
            easy.setopt(pycurl.CAINFO, str(options.ca_file))
        if endpoint.certificate and endpoint.private_key:
            easy.setopt(pycurl.SSLCERT_BLOB, endpoint.certificate.encode())
            easy.setopt(pycurl.SSLKEY_BLOB, endpoint.private_key.encode())

    def load(self, request: Request, done: Done, timeout_seconds: float) -> None:
        """Make this transfer carry `request`."""
        self._done = done
        self._body = BytesIO(request.body)
        for buffer in (self._head, self._answer):
            buffer.seek(0)
            buffer.truncate()
        lines = [f"{name}: {value}".encode() for name, value in request.headers + request.varying]
        lines.append(b"accept:")
        easy = self.easy
        easy.setopt(pycurl.URL, request.endpoint.origin + request.path)
        easy.setopt(pycurl.HTTPHEADER, lines)
        easy.setopt(pycurl.POSTFIELDSIZE, len(request.body))
        easy.setopt(pycurl.READFUNCTION, self._body.read)
        easy.setopt(pycurl.TIMEOUT_MS, max(1, int(timeout_seconds * 1000)))

    def take_done(self) -> Done:
        """Return whom to tell; a handle tells once."""
        done, self._done = self._done, _nobody
        return done

    def answer(self) -> Answer:
        """Return what the gateway answered."""
        status = self.easy.getinfo(pycurl.RESPONSE_CODE)
        return Answer(status, headers(self._head.getvalue()), self._answer.getvalue())

    def failure(self, code: int, words: str) -> NotProcessed | Ambiguous:
        """Return what a transfer that failed with `code` means for its request."""
        return failure(code, words, body_taken=self._body.tell() > 0)

    def abandoned(self) -> NotProcessed | Ambiguous:
        """Return what ending this transfer now means for its request."""
        return abandoned(body_taken=self._body.tell() > 0)
