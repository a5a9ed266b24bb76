// The way through a proxy, with proxies that do everything wrong: written by hand, byte by byte.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import fc from 'fast-check';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { certificateTools } from '../../../src/certs/certificateTools.ts';
import { makeKeyPair } from '../../../src/certs/keyPair.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { TunnelError } from '../../../src/core/errors.ts';
import { doorTimeoutMs, openDoor, type DoorOptions } from '../../../src/tunnel/edgeDoor.ts';
import { maxProxyHeadBytes } from '../../../src/tunnel/proxyConnect.ts';
import type { Proxy } from '../../../src/tunnel/proxySettings.ts';
import { anAuthority } from '../../support/certs.ts';
import { openEnrolmentDoor } from '../../support/enrolmentDoor.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { until } from '../../support/until.ts';

let shown: { keyPem: string; certificatePem: string };
let ca: string;
beforeAll(async () => {
  const authority = await anAuthority();
  const { publicKey, privateKeyPem } = await makeKeyPair();
  const names = ['enroll.edge.example.com', 'localhost'];
  shown = { keyPem: privateKeyPem, certificatePem: authority.issueServer({ names, publicKey, days: 1 }) };
  ca = authority.certificatePem;
});

type Answer = (head: string, socket: Socket) => void;

/** A proxy that answers as told; over TLS where `tls`. */
async function aProxy(answer: Answer, tls = false): Promise<Proxy & { heads: string[]; sockets: Socket[] }> {
  const heads: string[] = [];
  const sockets: Socket[] = [];
  const serve = (socket: Socket): void => {
    sockets.push(socket);
    socket.on('error', () => {});
    let head = '';
    const read = (chunk: Buffer): void => {
      head += chunk.toString('latin1');
      if (!head.includes('\r\n\r\n')) return;
      socket.off('data', read);
      heads.push(head);
      answer(head, socket);
    };
    socket.on('data', read);
  };
  const server = tls
    ? createTlsServer({ key: shown.keyPem, cert: shown.certificatePem }, serve)
    : createServer({ allowHalfOpen: true }, serve);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return { host: 'localhost', port: (server.address() as AddressInfo).port, isTls: tls, heads, sockets };
}

const through = (proxy: Proxy, more: Partial<DoorOptions> = {}): DoorOptions => ({
  edge: { host: 'edge.example.com', port: 443 },
  door: 'enroll',
  alpn: ['http/1.1'],
  trusted: [ca],
  proxyFor: () => proxy,
  lookup: async () => ['127.0.0.1'],
  certs: certificateTools,
  clock: systemClock,
  signal: new AbortController().signal,
  ...more,
});

const says =
  (text: string): Answer =>
  (_head, socket) =>
    void socket.write(text);

/** As a proxy should: it joins both sides, whatever name was asked for. */
const joinsWith =
  (port: number): Answer =>
  (_head, socket) => {
    const far = connect({ port, host: '127.0.0.1' });
    far.on('error', () => socket.destroy()).once('close', () => socket.destroy());
    socket.once('close', () => far.destroy());
    socket.write('HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n');
    socket.pipe(far).pipe(socket);
  };

describe('through a proxy', () => {
  it.each([false, true])('the edge is reached, and proves who it is (over TLS to the proxy: %s)', async (tls) => {
    const door = await openEnrolmentDoor(() => {}, shown);
    const proxy = await aProxy(joinsWith(door.port), tls);
    const socket = await openDoor(through({ ...proxy, credentials: 'us:er:päss' }));
    expect([socket.authorized, socket.getProtocol()]).toEqual([true, 'TLSv1.3']);
    const basic = Buffer.from('us:er:päss').toString('base64');
    expect(proxy.heads).toEqual([
      `CONNECT enroll.edge.example.com:443 HTTP/1.1\r\nHost: enroll.edge.example.com:443\r\nProxy-Authorization: Basic ${basic}\r\n\r\n`,
    ]);
    socket.destroy();
    await once(socket, 'close');
  });

  it('whoever answers in the edge’s place is found out', async () => {
    const other = await anAuthority();
    const { publicKey, privateKeyPem } = await makeKeyPair();
    const certificatePem = other.issueServer({ names: ['enroll.edge.example.com'], publicKey, days: 1 });
    const door = await openEnrolmentDoor(() => {}, { keyPem: privateKeyPem, certificatePem });
    const proxy = await aProxy(joinsWith(door.port));
    await expect(openDoor(through(proxy))).rejects.toMatchObject({ code: 'EDGE_IDENTITY' });
    expect(door.requests()).toBe(0);
  });

  it('a proxy over TLS with a certificate of nobody’s gets no password', async () => {
    const proxy = await aProxy(says('HTTP/1.1 200 OK\r\n\r\n'), true);
    const strangers = through({ ...proxy, credentials: 'user:secret' }, { trusted: [] });
    await expect(openDoor(strangers)).rejects.toMatchObject({ message: expect.stringContaining('localhost') });
    expect(proxy.heads).toEqual([]);
  });

  it.each([
    [
      'HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm="x"\r\n\r\n',
      'asks for a user name and a password: add them to its URL (407)',
    ],
    [
      'HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n\r\n',
      'asks for Negotiate, NTLM',
    ],
    ['HTTP/1.1 403 Forbidden\r\n\r\n', 'does not let this machine reach enroll.edge.example.com:443 (403)'],
    ['HTTP/1.1 405 \u001b[2JMethod\r\n\r\n', 'refused the way to enroll.edge.example.com:443 (405 ?[2JMethod)'],
    ['HTTP/1.1 302 Found\r\nLocation: http://evil/\r\n\r\n', 'refused the way to'],
    ['HTTP/1.1 100 Continue\r\n\r\n', 'refused the way to'],
    ['SSH-2.0-OpenSSH_9\r\n', 'does not answer like an HTTP proxy'],
    ['HTTP/2 200 fine\r\n\r\n', 'does not answer like an HTTP proxy'],
    ['HTTP/1.1 200 OK\r\n\r\nand more', 'says more than it should'],
    [`HTTP/1.1 200 OK\r\nx: ${'a'.repeat(maxProxyHeadBytes)}`, `more than ${maxProxyHeadBytes} bytes of headers`],
  ])('%j is told for what it is', async (answer, sentence) => {
    const proxy = await aProxy(says(answer));
    const error = await openDoor(through(proxy)).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(TunnelError);
    expect(error).toMatchObject({ code: 'EDGE_UNREACHABLE', message: expect.stringContaining(sentence) });
    expect((error as TunnelError).message).toMatch(new RegExp(`^the proxy localhost:${proxy.port} `));
    await until(() => proxy.sockets.every((socket) => socket.readableEnded || socket.destroyed));
  });

  it('a wrong password is told, and not shown', async () => {
    const proxy = await aProxy(says('HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm="x"\r\n\r\n'));
    const error = await openDoor(through({ ...proxy, credentials: 'user:hunter2' })).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ message: expect.stringContaining('does not accept the user name and password') });
    expect(JSON.stringify([error, String(error)])).not.toContain('hunter2');
  });

  it('the edge’s own name is tried when the proxy does not know the door’s', async () => {
    const door = await openEnrolmentDoor(() => {}, shown);
    const proxy = await aProxy((head, socket) => {
      if (head.startsWith('CONNECT enroll.')) socket.end('HTTP/1.1 503 Service Unavailable\r\n\r\n');
      else joinsWith(door.port)(head, socket);
    });
    const socket = await openDoor(through(proxy));
    expect(proxy.heads.map((head) => head.split(' ')[1])).toEqual([
      'enroll.edge.example.com:443',
      'edge.example.com:443',
    ]);
    socket.destroy();
    await once(socket, 'close');
  });

  it('hanging up without a word, and being away, are told apart', async () => {
    const proxy = await aProxy((_head, socket) => void socket.end());
    await expect(openDoor(through(proxy))).rejects.toThrow('closed the connection without an answer');
    const gone = { ...proxy, port: 1 };
    await expect(openDoor(through(gone))).rejects.toThrow(
      'the proxy localhost:1 cannot be reached: nothing listens there',
    );
  });

  it.each(['', 'HTTP/1.1 200 OK\r\nx: '])(
    'one that stops after %j is given up after the time of a dial',
    async (part) => {
      const proxy = await aProxy(says(part));
      const clock = new FakeClock();
      const opening = openDoor(through(proxy, { clock }));
      opening.catch(() => {});
      await until(() => proxy.heads.length === 1);
      clock.advance(doorTimeoutMs);
      await expect(opening).rejects.toThrow(`the proxy localhost:${proxy.port} cannot be reached: it does not answer`);
      expect(clock.pending).toBe(0);
    },
  );

  it('nothing is looked up or dialled where the policy refuses the proxy', async () => {
    const proxy = await aProxy(says(''));
    const looked: string[] = [];
    const refused = through(proxy, {
      proxyFor: () => {
        throw new TunnelError('DESTINATION_DENIED', 'no');
      },
      lookup: async (host) => (looked.push(host), ['127.0.0.1']),
    });
    await expect(openDoor(refused)).rejects.toMatchObject({ code: 'DESTINATION_DENIED' });
    expect([looked, proxy.sockets]).toEqual([[], []]);
  });

  it('any bytes in any pieces end in an error of ours or a way that stands', async () => {
    let bytes: Buffer[] = [];
    const proxy = await aProxy((_head, socket) => {
      const next = (): void => {
        const piece = bytes.shift();
        if (!piece) return void socket.end();
        socket.write(piece, () => setImmediate(next));
      };
      next();
    });
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.constantFrom('HTTP/1.1 ', '200 ', 'OK', '\r\n', '\r\n\r\n'),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
        bytes = pieces.map((part) => Buffer.from(part as Uint8Array)).filter((part) => part.length > 0);
        await expect(openDoor(through(proxy))).rejects.toBeInstanceOf(TunnelError);
      }),
      { numRuns: 100 },
    );
  });
});
