import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { connect } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { MAX_CLIENT_HELLO_BYTES, readClientHello } from '../../../src/tls/client-hello.ts';
import type { ClientHello } from '../../../src/tls/client-hello.ts';
import { clientHello } from '../../helpers/client-hello.ts';

/** The first bytes that Node's TLS client sends, all of them. */
async function recordHello(options: ConnectionOptions): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const { port } = server.address() as AddressInfo;
  const client = connect({ ...options, port, host: '127.0.0.1' });
  client.on('error', () => undefined);
  const [socket] = await accepted;
  const chunks: Buffer[] = [];
  let hello: Buffer;
  do {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    chunks.push(chunk);
    hello = Buffer.concat(chunks);
  } while (hello.length < 5 + hello.readUInt16BE(3));
  socket.destroy();
  client.destroy();
  server.close();
  return hello;
}

/** The same handshake message in records of `size` bytes. */
function inRecords(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const fragment = message.subarray(at, at + size);
    records.push(Buffer.from([22, 3, 1, fragment.length >> 8, fragment.length & 0xff]), fragment);
  }
  return Buffer.concat(records);
}

function parsed(bytes: Buffer): ClientHello {
  const result = readClientHello(bytes);
  if (typeof result === 'string') throw new Error(`not a hello: ${result}`);
  return result;
}

function named(...names: (string | Buffer)[]): ClientHello {
  const serverNames = names.map((name) => (typeof name === 'string' ? Buffer.from(name, 'latin1') : name));
  return parsed(clientHello({ serverNames }));
}

/** A hello whose extensions are exactly these, as type and body. */
function withExtensions(...extensions: [number, Buffer][]): Buffer {
  const list = Buffer.concat(extensions.map(([type, body]) => Buffer.concat([u16(type), u16(body.length), body])));
  return record(Buffer.concat([bareHello(), u16(list.length), list]));
}

/** Version, random, no session, one suite, no compression; extensions may follow. */
function bareHello(): Buffer {
  return Buffer.concat([Buffer.from([3, 3]), Buffer.alloc(32, 7), Buffer.from([0, 0, 2, 0x13, 0x01, 1, 0])]);
}

function record(body: Buffer): Buffer {
  const message = Buffer.concat([Buffer.from([1, 0]), u16(body.length), body]);
  return Buffer.concat([Buffer.from([22, 3, 1]), u16(message.length), message]);
}

function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

let modern: Buffer;
let old: Buffer;

beforeAll(async () => {
  modern = await recordHello({ servername: 'Matrix.Example.COM', ALPNProtocols: ['h2', 'http/1.1'] });
  old = await recordHello({ maxVersion: 'TLSv1.2' });
});

describe('hellos of a real client', () => {
  it('give name, protocols and versions', () => {
    expect(parsed(modern)).toEqual({
      servername: 'matrix.example.com',
      servernameIsIp: false,
      servernameProblem: null,
      alpn: ['h2', 'http/1.1'],
      supportsTls13: true,
      newestVersion: 0x0304,
    });
  });

  it('of TLS 1.2 without a name', () => {
    expect(parsed(old)).toEqual({
      servername: null,
      servernameIsIp: false,
      servernameProblem: null,
      alpn: [],
      supportsTls13: false,
      newestVersion: 0x0303,
    });
  });

  it('carry a post-quantum key and are then larger than a packet', () => {
    expect(modern.length).toBeGreaterThan(1400);
    expect(modern.length).toBeLessThan(4000);
  });

  it('are incomplete until their last byte', () => {
    const whole = parsed(modern);
    for (let length = 0; length < modern.length; length++) {
      expect(readClientHello(modern.subarray(0, length))).toBe('incomplete');
    }
    expect(parsed(Buffer.concat([modern, Buffer.from('what follows')]))).toEqual(whole);
  });

  it.for([1, 2, 3, 4, 5, 100, 600, 1400])('may come in records of %d bytes', (size) => {
    const bytes = inRecords(old, size);
    if (old.length / size > 64) {
      expect(readClientHello(bytes)).toBe('malformed');
      return;
    }
    expect(parsed(bytes)).toEqual(parsed(old));
    for (let length = 0; length < bytes.length; length++) {
      expect(readClientHello(bytes.subarray(0, length))).toBe('incomplete');
    }
  });
});

describe('the name', () => {
  const longest = `${`${'a'.repeat(63)}.`.repeat(3)}${'b'.repeat(61)}`;

  it.for<[string, string]>([
    ['example.com', 'example.com'],
    ['EXAMPLE.com', 'example.com'],
    ['example.com.', 'example.com'],
    ['localhost', 'localhost'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    [longest, longest],
    [`${longest}.`, longest],
  ])('%s is %s', ([sent, servername]) => {
    expect(named(sent)).toMatchObject({ servername, servernameIsIp: false, servernameProblem: null });
  });

  it.for(['192.0.2.1', '2001:db8::1', '::1', '127.0.0.1.'])('%s is an address: no name', (sent) => {
    expect(named(sent)).toMatchObject({ servername: null, servernameIsIp: true, servernameProblem: null });
  });

  it.for([
    '',
    '.',
    '..',
    'a..b',
    '.a',
    'a..',
    '*',
    '*.example.com',
    'a_b.example',
    '-a.example',
    'a-.example',
    'a b',
    'a/b',
    'a:8448',
    '[::1]',
    'example.com\0',
    '\0',
    'a\0.example',
    'bücher.example',
    '\xff\xfe',
    'a\n',
    'a.example\n',
    '%41.example',
    'a@b',
    `${'a'.repeat(64)}.example`,
    `${longest}b`,
    `${longest}bb`,
    'a'.repeat(254),
    'a'.repeat(3000),
  ])('%j is malformed', (sent) => {
    expect(named(sent)).toMatchObject({ servername: null, servernameIsIp: false, servernameProblem: 'malformed' });
  });

  it('is absent without the extension', () => {
    expect(parsed(clientHello())).toMatchObject({ servername: null, servernameProblem: null });
    expect(parsed(record(bareHello()))).toMatchObject({
      servername: null,
      servernameProblem: null,
      newestVersion: 0x0303,
    });
  });

  it('is malformed when there are two, or none in the list', () => {
    expect(named('a.example', 'b.example').servernameProblem).toBe('malformed');
    expect(named('a.example', 'a.example').servernameProblem).toBe('malformed');
    expect(named().servernameProblem).toBe('malformed');
  });

  it.for<[string, Buffer]>([
    ['empty', Buffer.alloc(0)],
    ['of another type', Buffer.from([0, 4, 1, 0, 1, 0x61])],
    ['cut', Buffer.from([0, 4, 0, 0, 2, 0x61])],
    ['followed by junk', Buffer.from([0, 4, 0, 0, 1, 0x61, 0])],
    ['with junk in the list', Buffer.from([0, 5, 0, 0, 1, 0x61, 0])],
  ])('is malformed when the extension is %s', ([, body]) => {
    expect(parsed(withExtensions([0, body]))).toMatchObject({ servername: null, servernameProblem: 'malformed' });
  });
});

describe('protocols and versions', () => {
  it('are told in order, however many', () => {
    const alpn = Array.from({ length: 1000 }, (_, index) => `p${String(index)}`);
    expect(parsed(clientHello({ alpn })).alpn).toEqual(alpn);
    expect(parsed(clientHello({ alpn: ['acme-tls/1'] })).alpn).toEqual(['acme-tls/1']);
    expect(parsed(clientHello({ alpn: ['\xfa\xfa', 'h2'] })).alpn).toEqual(['\xfa\xfa', 'h2']);
  });

  it.for<[string, number[], number, number]>([
    ['TLS 1.3', [0x0304], 0x0303, 0x0304],
    ['GREASE is no version', [0x9a9a, 0x0303], 0x0303, 0x0303],
    ['drafts and the future are none', [0x7f1c, 0x0305, 0x0302], 0x0303, 0x0302],
    ['DTLS is none', [0xfefd], 0x0303, 0],
    ['without the extension the old field counts', [], 0x0302, 0x0302],
    ['the old field never means TLS 1.3', [], 0x0304, 0x0303],
  ])('%s', ([, versions, legacyVersion, newestVersion]) => {
    const hello = parsed(clientHello({ versions, legacyVersion }));
    expect(hello).toMatchObject({ newestVersion, supportsTls13: newestVersion === 0x0304 });
  });
});

describe('what is no ClientHello', () => {
  it.for(['GET / HTTP/1.1\r\n', 'GET ', 'OPTIONS * HTTP/1.1', 'PRI * HTTP/2.0', 'PROPFIND /'])('%j is http', (text) => {
    expect(readClientHello(Buffer.from(text))).toBe('http');
  });

  it.for(['', 'G', 'GET', 'ABCDEFGHIJKLMNOP', '\x16', '\x16\x03', '\x16\x03\x01\x00'])('%j may become one', (text) => {
    expect(readClientHello(Buffer.from(text, 'latin1'))).toBe('incomplete');
  });

  it.for<[string, Buffer]>([
    ['an SSLv2 hello', Buffer.from('802e010002001500000010010080020080030080040080050080060040070000c0', 'hex')],
    ['SSH', Buffer.from('SSH-2.0-x\r\n')],
    ['a PROXY header that nobody asked for', Buffer.from('\r\n\r\n\0\r\nQUIT\n')],
    ['a small-letter method', Buffer.from('get / HTTP/1.1\r\n')],
    ['a space too soon', Buffer.from('AB cd')],
    ['a long word', Buffer.from('ABCDEFGHIJKLMNOPQ')],
    ['NUL', Buffer.alloc(1)],
    ['an alert', Buffer.from([21, 3, 3, 0, 2, 1, 0])],
    ['another major version', Buffer.from([22, 4])],
    ['another minor version', Buffer.from([22, 3, 9])],
  ])('%s is not TLS', ([, bytes]) => {
    expect(readClientHello(bytes)).toBe('not-tls');
  });

  it.for<[string, () => Buffer]>([
    ['an empty record', () => Buffer.from([22, 3, 1, 0, 0])],
    ['a record that is too long', () => Buffer.from([22, 3, 1, 0x40, 1])],
    ['another handshake message', () => Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0])],
    ['a message that is announced too long', () => Buffer.from([22, 3, 1, 0, 4, 1, 0, 0x40, 0])],
    ['a message of 16 MiB, told by its first bytes', () => Buffer.from([22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff])],
    ['an empty message', () => record(Buffer.alloc(0))],
    ['another version inside', () => record(Buffer.concat([Buffer.from([2, 0]), bareHello().subarray(2)]))],
    ['a cut message', () => record(bareHello().subarray(0, -1))],
    ['bytes behind the extensions', () => record(Buffer.concat([bareHello(), Buffer.from([0, 0, 0])]))],
    ['an extension twice', () => withExtensions([99, Buffer.alloc(0)], [99, Buffer.alloc(0)])],
    ['an extension that runs over', () => record(Buffer.concat([bareHello(), Buffer.from([0, 4, 0, 99, 0, 1])]))],
    ['no protocol in ALPN', () => withExtensions([16, Buffer.from([0, 0])])],
    ['an empty protocol in ALPN', () => withExtensions([16, Buffer.from([0, 2, 0, 0])])],
    ['an empty ALPN', () => withExtensions([16, Buffer.alloc(0)])],
    ['an odd list of versions', () => withExtensions([43, Buffer.from([3, 3, 4, 3])])],
    [
      'an odd list of suites',
      () => {
        const odd = Buffer.concat([Buffer.from([3, 3]), Buffer.alloc(33), Buffer.from([0, 3, 0x13, 1, 0, 1, 0])]);
        return record(odd);
      },
    ],
    ['a long session id', () => record(Buffer.concat([Buffer.from([3, 3]), Buffer.alloc(32), Buffer.alloc(40, 33)]))],
    [
      'another record in between',
      () => Buffer.concat([inRecords(old, 100).subarray(0, 105), Buffer.from([21, 3, 3, 0, 2])]),
    ],
    ['clear text in between', () => Buffer.concat([inRecords(old, 100).subarray(0, 105), Buffer.from('GET /')])],
    [
      'a message that never ends',
      () => Buffer.concat([Buffer.from([22, 3, 1, 0x3f, 0xf0, 1, 0, 0x3f, 0xf5]), Buffer.alloc(17_000)]),
    ],
  ])('%s is malformed', ([, bytes]) => {
    expect(readClientHello(bytes())).toBe('malformed');
  });

  it('is never waited for beyond the limit', () => {
    for (const size of [300, 1000, 16_384]) {
      const header = Buffer.from([22, 3, 1, size >> 8, size & 0xff]);
      const message = Buffer.concat([Buffer.from([1, 0, 0x3f, 0xf0]), Buffer.alloc(20_000)]);
      const records: Buffer[] = [];
      for (let at = 0; at < message.length; at += size) records.push(header, message.subarray(at, at + size));
      const bytes = Buffer.concat(records).subarray(0, MAX_CLIENT_HELLO_BYTES);
      expect(readClientHello(bytes)).toBe('malformed');
    }
  });
});

describe('any bytes at all', () => {
  it('are judged, never thrown at', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const result = readClientHello(Buffer.from(bytes));
        expect(['string', 'object']).toContain(typeof result);
      }),
      { numRuns: 2000 },
    );
  });

  it('behind a real record header too', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (bytes) => {
        readClientHello(record(Buffer.concat([bareHello(), Buffer.from(bytes)])));
        readClientHello(withExtensions([0, Buffer.from(bytes)], [16, Buffer.from(bytes)], [43, Buffer.from(bytes)]));
      }),
      { numRuns: 2000 },
    );
  });

  it('made from real hellos by changing, cutting and doubling: a name comes out clean or not at all', () => {
    const change = fc.record({
      at: fc.nat(),
      value: fc.integer({ min: 0, max: 255 }),
      cut: fc.nat(),
      grow: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.boolean(), fc.array(change, { minLength: 1, maxLength: 5 }), (useModern, changes) => {
        let bytes = Buffer.from(useModern ? modern : old);
        for (const { at, value, cut, grow } of changes) {
          bytes[at % bytes.length] = value;
          if (cut % 4 === 0) bytes = bytes.subarray(0, 1 + (cut % bytes.length));
          if (grow) bytes = Buffer.concat([bytes, bytes.subarray(at % bytes.length)]);
        }
        const result = readClientHello(bytes);
        if (typeof result !== 'string' && result.servername !== null) {
          expect(result.servername).toMatch(/^[a-z0-9-]+(\.[a-z0-9-]+)*$/);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
