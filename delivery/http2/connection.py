"""The client side of one HTTP/2 connection: bytes in, bytes and results out; no socket, no clock.

Nothing is ever sent twice here. Whoever owns the connection writes `out` to the network and says
in `written` how many bytes have left for good: that decides what was never written whole.
"""

from collections import deque

from delivery.http2 import frames
from delivery.http2.frames import PeerError, require
from delivery.http2.request_block import BlockWriter
from delivery.http2.response_block import LARGEST_BLOCK, status_of
from delivery.http2.stream import REFUSED, Finished, Stream
from delivery.transport import Done, NotProcessed, Request

_LARGEST_BODY = 65_536
_MOST_LATE = 20
_WHOLE_BLOCK = frames.END_HEADERS | frames.END_STREAM


class Connection:
    """Holds the streams of a connection; results go to `finished`.

    `limit` is how many streams the peer allows now, `highest_limit` the most it ever did;
    `greeted` says that its SETTINGS are here, `draining` that it takes no new streams, `debug`
    what a GOAWAY said.
    """

    def __init__(
        self, authority: str, finished: deque[Finished], most: int = 1_000, first_id: int = 1
    ) -> None:
        self.streams: dict[int, Stream] = {}
        self.limit = self.highest_limit = self.answers = self.written = 0
        self.draining = self.greeted = False
        self.debug = self._rest = b""
        self.out = [frames.PREFACE]
        self._position = len(frames.PREFACE)
        self._finished = finished
        self._most = most
        self._writer = BlockWriter(authority)
        self._next_id = first_id
        self._initial_window = self._window = frames.DEFAULT_WINDOW
        self._max_frame = frames.SMALLEST_MAX_FRAME
        self._unsent: dict[int, Stream] = {}
        self._received = self._late = 0
        # The only kind of frame that may come next, when there is but one.
        self._awaited: int | None = frames.SETTINGS
        self._partial: tuple[int, int, bytes] = (0, 0, b"")
        self._takers = {
            frames.DATA: self._take_data,
            frames.HEADERS: self._take_headers,
            frames.RST_STREAM: self._take_reset,
            frames.SETTINGS: self._take_settings,
            frames.PING: self._take_ping,
            frames.GOAWAY: self._take_goaway,
            frames.WINDOW_UPDATE: self._take_window,
            frames.CONTINUATION: self._take_continuation,
        }
        self._put(frames.SETTINGS, 0, 0, frames.OUR_SETTINGS)
        self._word(frames.WINDOW_UPDATE, 0, frames.LARGEST_WINDOW - frames.DEFAULT_WINDOW)

    def room(self) -> int:
        """Return how many streams may be opened now; none before the peer's SETTINGS."""
        if self.draining or self._window <= 0:
            return 0
        ids_left = (frames.LARGEST_STREAM_ID + 2 - self._next_id) // 2
        return min(ids_left, min(self.limit, self._most) - len(self.streams))

    def open(self, request: Request, done: Done, deadline: float) -> None:
        """Write a request as far as the windows allow; only when there is room."""
        block = self._writer.write(request.path, request.headers, request.varying)
        if isinstance(block, NotProcessed):
            self._finished.append((done, block))
            return
        stream_id, body = self._next_id, request.body
        self._next_id += 2
        self.draining = self.draining or self._next_id > frames.LARGEST_STREAM_ID
        stream = self.streams[stream_id] = Stream(done, deadline)
        kind, most = frames.HEADERS, self._max_frame
        while len(block) > most:
            self._put(kind, 0, stream_id, block[:most])
            kind, block = frames.CONTINUATION, block[most:]
        self._put(kind, frames.END_HEADERS, stream_id, block)
        if len(body) > min(most, self._window, self._initial_window):
            stream.rest = body
            self._unsent[stream_id] = stream
            self._continue()
            return
        self._window -= len(body)
        stream.window -= len(body)
        self._put(frames.DATA, frames.END_STREAM, stream_id, body)
        stream.end = self._position

    def _continue(self) -> None:
        for stream_id, stream in list(self._unsent.items()):
            size = 1
            while size and not stream.end:
                window = min(self._initial_window + stream.window, self._window)
                size = max(0, min(len(stream.rest), window, self._max_frame))
                piece, left = stream.rest[:size], stream.rest[size:]
                stream.rest = left
                stream.window -= size
                self._window -= size
                if piece or not left:
                    flags = 0 if left else frames.END_STREAM
                    self._put(frames.DATA, flags, stream_id, piece)
                    stream.end = 0 if left else self._position
            if stream.end:
                del self._unsent[stream_id]

    def _put(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        self.out += (frames.HEAD.pack(len(payload) << 8 | kind, flags, stream_id), payload)
        self._position += frames.HEAD_BYTES + len(payload)

    def _word(self, kind: int, stream_id: int, word: int) -> None:
        self._put(kind, 0, stream_id, frames.WORD.pack(word))

    def ping(self) -> None:
        """Ask the peer for a sign of life."""
        self._put(frames.PING, 0, 0, bytes(8))

    def leave(self, code: int = frames.NO_ERROR) -> None:
        """Say goodbye, with the reason."""
        self._put(frames.GOAWAY, 0, 0, frames.PAIR.pack(0, code))

    def expire(self, now: float) -> bool:
        """End the streams whose deadline has passed; False when one must not leave, but would."""
        late = [number for number, stream in self.streams.items() if stream.deadline <= now]
        if any(self.streams[stream_id].end > self.written for stream_id in late):
            return False
        for stream_id in late:
            self._cancel(stream_id, frames.CANCEL, "timeout")
        # Whoever answers nothing any more gets nothing any more.
        self._late += len(late)
        self.draining = self.draining or self._late >= _MOST_LATE
        return True

    def end(self, words: str) -> None:
        """End all streams: the connection is gone, and nothing leaves it after `written`."""
        self.draining = True
        for stream_id in list(self.streams):
            self._lose(stream_id, words, self.written)

    def _cancel(self, stream_id: int, code: int, words: str) -> None:
        self._word(frames.RST_STREAM, stream_id, code)
        self._lose(stream_id, words)

    def _lose(self, stream_id: int, words: str, written: int | None = None) -> None:
        # While the connection lives, what lies in `out` will leave.
        stream = self.streams.pop(stream_id)
        self._unsent.pop(stream_id, None)
        sent = self._position if written is None else written
        self._finished.append(stream.lost(words, sent, self.debug))

    def receive(self, data: bytes) -> None:
        """Take bytes from the peer; raise PeerError when it breaks the protocol."""
        data = self._rest + data
        at, size = 0, len(data)
        while size - at >= frames.HEAD_BYTES:
            word, flags, stream_id = frames.HEAD.unpack_from(data, at)
            if word >> 8 > frames.SMALLEST_MAX_FRAME:
                raise PeerError(frames.FRAME_SIZE_ERROR, "a frame that is too large")
            start = at + frames.HEAD_BYTES
            if start + (word >> 8) > size:
                break
            at = start + (word >> 8)
            kind = word & 0xFF
            if self._awaited not in {None, kind} or kind == frames.PUSH_PROMISE:
                raise PeerError(frames.PROTOCOL_ERROR, f"a frame of kind {kind} out of order")
            if taker := self._takers.get(kind):
                taker(stream_id & frames.LARGEST_STREAM_ID, flags, data[start:at])
        self._rest = data[at:]
        if self._unsent:
            self._continue()

    def _stream(self, stream_id: int) -> Stream | None:
        """Return an open stream, None for one that has ended."""
        stream = self.streams.get(stream_id)
        if stream is None and not (stream_id & 1 and stream_id < self._next_id):
            raise PeerError(frames.PROTOCOL_ERROR, f"a frame on stream {stream_id}, never opened")
        return stream

    def _take_headers(self, stream_id: int, flags: int, payload: bytes) -> None:
        block = frames.unpad(payload, flags) if flags & ~_WHOLE_BLOCK else payload
        if flags & frames.END_HEADERS:
            self._take_block(stream_id, flags, block)
        else:
            self._partial = stream_id, flags, block
            self._awaited = frames.CONTINUATION

    def _take_continuation(self, stream_id: int, flags: int, payload: bytes) -> None:
        expected, first_flags, block = self._partial
        block += payload
        in_order = stream_id == expected and self._awaited and len(block) <= LARGEST_BLOCK
        require(in_order, frames.PROTOCOL_ERROR, "a header block out of order or too large")
        self._partial = stream_id, first_flags, block
        if flags & frames.END_HEADERS:
            self._awaited = None
            self._take_block(stream_id, first_flags, block)

    def _take_block(self, stream_id: int, flags: int, block: bytes) -> None:
        stream = self._stream(stream_id)
        if stream is None:
            return
        ended = flags & frames.END_STREAM
        if stream.status:
            well_formed = bool(ended)  # trailers
        else:
            status = status_of(block)
            if status >= 200:
                stream.status, stream.block = status, block
            well_formed = status >= 200 or (status >= 100 and not ended)
        if not well_formed:
            self._cancel(stream_id, frames.PROTOCOL_ERROR, "malformed answer")
        elif ended:
            self._answer(stream_id, stream)

    def _take_data(self, stream_id: int, flags: int, payload: bytes) -> None:
        self._received += len(payload)
        if self._received > frames.LARGEST_WINDOW // 2:
            self._word(frames.WINDOW_UPDATE, 0, self._received)
            self._received = 0
        stream = self._stream(stream_id)
        if stream is None:
            return
        stream.body += frames.unpad(payload, flags & frames.PADDED) if flags > 1 else payload
        if not stream.status:
            self._cancel(stream_id, frames.PROTOCOL_ERROR, "malformed answer")
        elif flags & frames.END_STREAM or len(stream.body) > _LARGEST_BODY:
            self._answer(stream_id, stream, stop=not flags & frames.END_STREAM)

    def _answer(self, stream_id: int, stream: Stream, *, stop: bool = False) -> None:
        del self.streams[stream_id]
        self.answers += 1
        self._late = 0
        if self._unsent.pop(stream_id, None) or stop:
            self._word(frames.RST_STREAM, stream_id, frames.CANCEL)
        self._finished.append(stream.answered())

    def _take_reset(self, stream_id: int, _flags: int, payload: bytes) -> None:
        code = frames.read_word(payload, "RST_STREAM")
        if self._stream(stream_id):
            words = f"stream reset: {frames.error_name(code)}"
            self._lose(stream_id, words, REFUSED if code == frames.REFUSED_STREAM else None)

    def _take_goaway(self, stream_id: int, _flags: int, payload: bytes) -> None:
        well_formed = not stream_id and len(payload) >= frames.PAIR.size
        require(well_formed, frames.FRAME_SIZE_ERROR, "a malformed GOAWAY")
        last, code = frames.PAIR.unpack_from(payload)
        last &= frames.LARGEST_STREAM_ID
        self.draining = True
        self.debug = payload[frames.PAIR.size :] or self.debug
        for beyond in [number for number in self.streams if number > last]:
            words = f"beyond the last stream of GOAWAY {frames.error_name(code)}"
            self._lose(beyond, words, REFUSED)

    def _take_settings(self, stream_id: int, flags: int, payload: bytes) -> None:
        well_formed = not stream_id and not (flags & frames.ACK and payload)
        require(well_formed, frames.FRAME_SIZE_ERROR, "malformed SETTINGS")
        if flags & frames.ACK:
            return
        if not self.greeted:
            self.greeted, self._awaited, self.limit = True, None, frames.LARGEST_STREAM_ID
        for name, value in frames.read_settings(payload):
            self._set(name, value)
        self.highest_limit = max(self.highest_limit, self.limit)
        self._put(frames.SETTINGS, frames.ACK, 0, b"")

    def _set(self, name: int, value: int) -> None:
        if name == frames.HEADER_TABLE_SIZE:
            self._writer.resize(value)
        elif name == frames.MAX_CONCURRENT_STREAMS:
            self.limit = value
        elif name == frames.INITIAL_WINDOW_SIZE:
            self._initial_window = value
        elif name == frames.MAX_FRAME_SIZE:
            self._max_frame = value
        elif name == frames.MAX_HEADER_LIST_SIZE:
            self._writer.limit = value

    def _take_ping(self, stream_id: int, flags: int, payload: bytes) -> None:
        require(not stream_id and len(payload) == 8, frames.FRAME_SIZE_ERROR, "a malformed PING")
        if not flags & frames.ACK:
            self._put(frames.PING, frames.ACK, 0, payload)

    def _take_window(self, stream_id: int, _flags: int, payload: bytes) -> None:
        size = frames.read_word(payload, "WINDOW_UPDATE") & frames.LARGEST_WINDOW
        if not stream_id:
            self._window += size
            fits = size and self._window <= frames.LARGEST_WINDOW
            require(fits, frames.FLOW_CONTROL_ERROR, "a connection window out of bounds")
        elif stream := self._stream(stream_id):
            stream.window += size
            if not size or self._initial_window + stream.window > frames.LARGEST_WINDOW:
                self._cancel(stream_id, frames.FLOW_CONTROL_ERROR, "a window out of bounds")
