"""Plays made-up HTTP/2 sessions against a server, with the Python package h2 as the client's protocol engine.

Input, one JSON object on standard input: {"host", "port", "ca", "sessions": [session, ...]}. Output: one JSON line a session with what came back,
or with why the session broke. Every choice that a session leaves open (where frames are cut, what is said between them, when windows are opened) is drawn
from its seed, so that a session can be played again.

h2 judges what the server sends: an illegal frame, a field that must not be there, a byte beyond a window end the session as an error.
"""

import hashlib
import json
import random
import select
import socket
import ssl
import struct
import sys

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
import h2.windows

LIMIT_SECONDS = 60
PATTERN_BYTES = 1 << 21
PATTERN = bytes(((i * 7) + (i >> 8)) & 255 for i in range(PATTERN_BYTES))
DATA, HEADERS, PRIORITY, CONTINUATION = 0, 1, 2, 9
END_STREAM, END_HEADERS, PADDED, HAS_PRIORITY = 1, 4, 8, 32
WINDOW = h2.settings.SettingCodes.INITIAL_WINDOW_SIZE
# Frames that cost the server something and bring nothing are counted by it; a session stays far below what it allows.
MOST_EXTRAS = 60


def pattern(spec):
    start, length = spec
    return PATTERN[start:start + length]


def consumed(manager, size, whatever=h2.windows.WindowManager.window_consumed):
    # RFC 9113 section 6.9.1: a frame without payload may come whatever the window is. h2 takes one for an overrun when SETTINGS
    # have moved the window below zero.
    if size > 0:
        whatever(manager, size)


h2.windows.WindowManager.window_consumed = consumed


def octets(fields):
    # Given text, hpack would write UTF-8.
    return [(name.encode('latin-1'), value.encode('latin-1')) for name, value in fields]


def frame(kind, flags, stream_id, payload):
    return struct.pack('>I', len(payload))[1:] + struct.pack('>BBI', kind, flags, stream_id) + payload


class Reframer:
    """Cuts the frames that h2 made into other frames of the same meaning, and puts harmless ones between them."""

    def __init__(self, rng, wild):
        self.rng = rng
        self.wild = wild
        self.preface = True
        self.extras = 0

    def __call__(self, data):
        out = []
        at = 0
        if self.preface and data:
            out.append(data[:24])
            at = 24
            self.preface = False
        block = None
        while at < len(data):
            size = int.from_bytes(data[at:at + 3], 'big')
            kind, flags = data[at + 3], data[at + 4]
            stream_id = int.from_bytes(data[at + 5:at + 9], 'big')
            payload = data[at + 9:at + 9 + size]
            at += 9 + size
            if kind in (HEADERS, CONTINUATION):
                block = (flags, stream_id, payload) if kind == HEADERS else (block[0], stream_id, block[2] + payload)
                if flags & END_HEADERS:
                    out.extend(self.headers(*block))
            elif kind == DATA and not flags & PADDED:
                out.extend(self.data(flags, stream_id, payload))
            else:
                out.append(frame(kind, flags, stream_id, payload))
            # Not ahead of the SETTINGS that a connection begins with.
            out.extend(self.extra(stream_id))
        return b''.join(out)

    def headers(self, flags, stream_id, block):
        rng = self.rng
        cuts = 0 if rng.random() > self.wild else rng.randint(0, min(12, len(block)))
        points = sorted(rng.choices(range(len(block) + 1), k=cuts))
        parts = [block[a:b] for a, b in zip([0] + points, points + [len(block)])]
        head_flags = flags & END_STREAM
        first = parts[0]
        if rng.random() < self.wild / 2:
            head_flags |= HAS_PRIORITY
            depends = rng.choice([0, stream_id + 2, max(0, stream_id - 2)])
            first = struct.pack('>IB', depends | (rng.getrandbits(1) << 31), rng.randrange(256)) + first
        if rng.random() < self.wild:
            padding = rng.randrange(256)
            head_flags |= PADDED
            first = bytes([padding]) + first + bytes(padding)
        frames = [(HEADERS, head_flags, first)] + [(CONTINUATION, 0, part) for part in parts[1:]]
        kind, last_flags, last = frames[-1]
        frames[-1] = (kind, last_flags | END_HEADERS, last)
        return [frame(kind, each, stream_id, payload) for kind, each, payload in frames]

    def data(self, flags, stream_id, payload):
        rng = self.rng
        cuts = 0 if rng.random() > self.wild or len(payload) < 2 else rng.randint(0, 4)
        points = sorted(set(rng.choices(range(1, len(payload)), k=cuts))) if cuts else []
        parts = [payload[a:b] for a, b in zip([0] + points, points + [len(payload)])]
        frames = [frame(DATA, 0, stream_id, part) for part in parts[:-1]]
        return frames + [frame(DATA, flags, stream_id, parts[-1])]

    def extra(self, stream_id):
        rng = self.rng
        if rng.random() > self.wild or self.extras >= MOST_EXTRAS:
            return []
        self.extras += 1
        other = rng.randrange(0, 60)
        kind = rng.randrange(3)
        if kind == 0:
            on = rng.randrange(1, 61)
            return [frame(PRIORITY, 0, on, struct.pack('>IB', other if other != on else 0, rng.randrange(256)))]
        if kind == 1:
            value = b'u=%d' % rng.randrange(8) + rng.choice([b'', b', i', b', i=?0'])
            return [frame(16, 0, 0, struct.pack('>I', other | 1) + value)]
        # A type and flags that nobody knows, on any stream.
        return [frame(rng.randrange(0x20, 0x100), rng.randrange(256), other, bytes(rng.randrange(40)))]


class Stream:
    def __init__(self, plan):
        self.plan = plan
        self.id = None
        self.body = pattern(plan['body'])
        self.sent = 0
        self.finished = False
        self.headers = None
        self.informational = []
        self.hash = hashlib.sha256()
        self.received = 0
        self.ended = False
        self.reset = None
        self.given_up = False

    @property
    def over(self):
        return self.given_up or self.reset is not None or self.ended

    def result(self):
        return {
            'headers': self.headers,
            'informational': self.informational,
            'length': self.received,
            'sha256': self.hash.hexdigest(),
            'ended': self.ended,
            'reset': self.reset,
            'givenUp': self.given_up,
            'sent': self.sent,
            'finished': self.finished,
        }


class Player:
    def __init__(self, session, where, context):
        self.rng = random.Random(session['seed'])
        self.session = session
        self.wild = session['wild']
        self.reframe = Reframer(self.rng, self.wild)
        raw = socket.create_connection((where['host'], where['port']), timeout=LIMIT_SECONDS)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = context.wrap_socket(raw, server_hostname='localhost')
        if self.socket.selected_alpn_protocol() != 'h2':
            raise RuntimeError('no h2')
        config = h2.config.H2Configuration(client_side=True, header_encoding='latin-1')
        self.connection = h2.connection.H2Connection(config=config)
        self.connection.local_settings = h2.settings.Settings(client=True, initial_values={
            h2.settings.SettingCodes.ENABLE_PUSH: 0,
            WINDOW: session['window'],
            h2.settings.SettingCodes.HEADER_TABLE_SIZE: session['tableSize'],
            h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 100,
        })
        self.acknowledged = False
        self.connection.decoder.max_allowed_table_size = max(4096, session['tableSize'])
        self.streams = [Stream(plan) for plan in session['streams']]
        self.by_id = {}
        self.unopened = list(self.streams)
        self.window_changes = list(session['windowChanges'])
        self.pings = [0, 0]
        self.authority = 'localhost:%d' % where['port']

    def play(self):
        self.connection.initiate_connection()
        self.send()
        while not all(stream.over for stream in self.streams):
            acted = self.act()
            self.send()
            if self.readable(0):
                self.receive()
            elif not acted and not self.open_windows():
                if not self.readable(LIMIT_SECONDS):
                    raise RuntimeError('nothing came for %d s' % LIMIT_SECONDS)
                self.receive()
        # What is still on its way may be wrong as well.
        self.connection.ping(b'last one')
        self.pings[0] += 1
        self.send()
        while self.pings[1] < self.pings[0]:
            if not self.readable(LIMIT_SECONDS):
                raise RuntimeError('a PING was not answered')
            self.receive()
        self.connection.close_connection()
        self.send()
        self.socket.close()

    def act(self):
        """One step of one stream, or of the connection; False when nothing can be done."""
        rng = self.rng
        # h2 takes the acknowledgement of its first SETTINGS for one of whatever was changed since.
        if self.acknowledged and self.window_changes and rng.random() < 0.1:
            # Beside a setting that nobody knows; hyperframe writes only the lower octet of its number.
            unknown = rng.randrange(0x20, 0xFF)
            self.connection.update_settings({unknown: rng.getrandbits(32), WINDOW: self.window_changes.pop(0)})
            return True
        if rng.random() < self.wild / 10 and self.pings[0] < 20:
            self.connection.ping(bytes(rng.randrange(256) for _ in range(8)))
            self.pings[0] += 1
            return True
        able = [stream for stream in self.by_id.values() if self.can_act(stream)]
        if self.unopened and (not able or rng.random() < 0.5):
            self.open(self.unopened.pop(0))
            return True
        if not able:
            return False
        self.step(rng.choice(able))
        return True

    def can_act(self, stream):
        if stream.over or stream.finished and stream.plan['resetAt'] is None:
            return False
        if self.reset_due(stream):
            return True
        if stream.finished:
            return False
        if stream.sent == len(stream.body):
            return True
        return self.connection.local_flow_control_window(stream.id) > 0

    def reset_due(self, stream):
        at = stream.plan['resetAt']
        return at is not None and (stream.sent >= at[1] if at[0] == 'sent' else stream.received >= at[1] and stream.headers is not None)

    def open(self, stream):
        stream.id = self.connection.get_next_available_stream_id()
        self.by_id[stream.id] = stream
        plan = stream.plan
        head = [(':method', plan['method']), (':scheme', 'https'), (':authority', self.authority), (':path', plan['path'])]
        self.rng.shuffle(head)
        if plan['contentLength']:
            head.append(('content-length', str(len(stream.body))))
        head.extend(plan['fields'])
        bare = not plan['hasBody']
        self.connection.send_headers(stream.id, octets(head), end_stream=bare)
        stream.finished = bare

    def step(self, stream):
        rng = self.rng
        if self.reset_due(stream):
            code = rng.choice([h2.errors.ErrorCodes.CANCEL, h2.errors.ErrorCodes.NO_ERROR, h2.errors.ErrorCodes.INTERNAL_ERROR])
            self.connection.reset_stream(stream.id, code)
            stream.given_up = True
            return
        left = len(stream.body) - stream.sent
        trailers = stream.plan['trailers']
        if left > 0:
            window = min(self.connection.local_flow_control_window(stream.id), self.connection.max_outbound_frame_size)
            padding = rng.randrange(256) if rng.random() < self.wild / 3 else None
            if padding is not None and window < padding + 2:
                padding = None
            room = window if padding is None else window - padding - 1
            at = stream.plan['resetAt']
            if at is not None and at[0] == 'sent':
                left = at[1] - stream.sent
            size = min(left, room, rng.choice([1, 100, 1000, 16384, 16384, 16384]) if self.wild else 16384)
            piece = stream.body[stream.sent:stream.sent + size]
            stream.sent += size
            last = stream.sent == len(stream.body) and not trailers and not stream.plan['lateEnd'] and not self.reset_due(stream)
            self.connection.send_data(stream.id, piece, end_stream=last, pad_length=padding)
            stream.finished = last
        elif trailers:
            self.connection.send_headers(stream.id, octets(trailers), end_stream=True)
            stream.finished = True
        else:
            self.connection.end_stream(stream.id)
            stream.finished = True

    def open_windows(self):
        """Gives the server room where it has none; False when it has room everywhere."""
        rng = self.rng
        opened = False
        if self.connection.inbound_flow_control_window < 1:
            self.connection.increment_flow_control_window(rng.randint(1, 100000))
            opened = True
        for stream in self.by_id.values():
            if stream.over:
                continue
            window = self.connection._get_stream_by_id(stream.id).inbound_flow_control_window
            if window < 1:
                least = max(1, stream.plan['answer']['bodyLength'] // 40)
                self.connection.increment_flow_control_window(rng.randint(least, 3 * least) - window, stream.id)
                opened = True
        self.send()
        return opened

    def send(self):
        data = self.connection.data_to_send()
        if not data:
            return
        data = self.reframe(data)
        rng = self.rng
        cuts = rng.randint(1, 4) if rng.random() < self.wild else 0
        points = sorted(rng.randrange(len(data)) for _ in range(cuts))
        for a, b in zip([0] + points, points + [len(data)]):
            if a < b:
                self.socket.sendall(data[a:b])

    def readable(self, seconds):
        return self.socket.pending() > 0 or bool(select.select([self.socket], [], [], seconds)[0])

    def receive(self):
        data = self.socket.recv(65536)
        if not data:
            raise RuntimeError('the server ended the connection')
        for event in self.connection.receive_data(data):
            self.on(event)
        self.send()

    def on(self, event):
        if isinstance(event, h2.events.SettingsAcknowledged) and not self.acknowledged:
            # From here on the server's encoder is held to the table that we announced.
            self.acknowledged = True
            self.connection.decoder.max_allowed_table_size = self.session['tableSize']
            return
        if isinstance(event, h2.events.PingAckReceived):
            self.pings[1] += 1
            return
        if isinstance(event, h2.events.ConnectionTerminated):
            raise RuntimeError('GOAWAY %s %r' % (event.error_code, event.additional_data))
        if isinstance(event, (h2.events.TrailersReceived, h2.events.PushedStreamReceived, h2.events.UnknownFrameReceived)):
            raise RuntimeError('unexpected %r' % event)
        stream = self.by_id.get(getattr(event, 'stream_id', None))
        if stream is None:
            return
        if isinstance(event, h2.events.ResponseReceived):
            stream.headers = [list(each) for each in event.headers]
        elif isinstance(event, h2.events.InformationalResponseReceived):
            stream.informational.append([list(each) for each in event.headers])
        elif isinstance(event, h2.events.DataReceived):
            stream.received += len(event.data)
            stream.hash.update(event.data)
            # Some of it at once, the rest when the server has no room left.
            if self.rng.random() < 0.3 and not stream.over and event.flow_controlled_length > 0:
                self.connection.acknowledge_received_data(event.flow_controlled_length, stream.id)
        elif isinstance(event, h2.events.StreamEnded):
            stream.ended = True
        elif isinstance(event, h2.events.StreamReset):
            stream.reset = int(event.error_code)


def main():
    where = json.load(sys.stdin)
    context = ssl.create_default_context(cafile=where['ca'])
    context.set_alpn_protocols(['h2'])
    for session in where['sessions']:
        player = None
        try:
            player = Player(session, where, context)
            player.play()
            error = None
        except Exception as problem:  # whatever broke is the answer of this session
            error = '%s: %s' % (type(problem).__name__, problem)
        streams = [] if player is None else [stream.result() for stream in player.streams]
        print(json.dumps({'error': error, 'streams': streams}), flush=True)


main()
