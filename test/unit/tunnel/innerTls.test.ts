// Agents' TLS on a stream that is no socket: what is spoken, what is waited for, and what is not.
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { duplexPair, type Duplex } from 'node:stream';
import { connect, createSecureContext, type ConnectionOptions, type SecureContext, type TLSSocket } from 'node:tls';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { makeKeyPair } from '../../../src/certs/keyPair.ts';
import { InnerTls, maxHeaderBytes, type InnerTlsOptions, type InnerTlsTimings } from '../../../src/tunnel/innerTls.ts';
import { callHttp2 } from '../../support/agents.ts';
import { anAuthority } from '../../support/certs.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { until } from '../../support/until.ts';

let context: SecureContext;
let ca: string;
beforeAll(async () => {
  const authority = await anAuthority();
  const key = await makeKeyPair();
  const cert = authority.issueServer({ names: ['a.test'], publicKey: key.publicKey, days: 1 });
  context = createSecureContext({ key: key.privateKeyPem, cert });
  ca = authority.certificatePem;
});

type Handler = InnerTlsOptions['onRequest'];
const hello: Handler = (_request, response, visitor) =>
  void (response as NodeJS.WritableStream).end(`hello ${visitor}`);

function world(onRequest: Handler = hello, timings: Partial<InnerTlsTimings> = {}) {
  const clock = new FakeClock();
  const inner = new InnerTls({ context: () => context, onRequest, clock, timings });
  onTestFinished(() => inner.close());
  const visit = (): { near: Duplex; far: Duplex } => {
    const [near, far] = duplexPair();
    inner.accept(far, '192.0.2.1:5555');
    return { near, far };
  };
  const agent = (options: ConnectionOptions = {}): TLSSocket & { far: Duplex } => {
    const { near, far } = visit();
    const socket = connect({ socket: near, servername: 'a.test', ca, ...options });
    socket.on('error', () => {});
    onTestFinished(() => void socket.destroy());
    return Object.assign(socket, { far });
  };
  return { clock, inner, visit, agent };
}

const read = async (socket: TLSSocket, enough: string): Promise<string> => {
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += String(chunk)));
  await until(() => text.includes(enough) || socket.destroyed);
  return text;
};

const get = 'GET / HTTP/1.1\r\nhost: a.test\r\n\r\n';

describe('an agent', () => {
  it('is answered over HTTP/1.1 whether it asks for it or for nothing', async () => {
    for (const options of [{ ALPNProtocols: ['http/1.1'] }, {}]) {
      const socket = world().agent(options);
      socket.write(get);
      expect(await read(socket, 'hello')).toMatch(/^HTTP\/1\.1 200 OK[^]*hello 192\.0\.2\.1:5555/);
    }
  });

  it('is answered over HTTP/2 when it can', async () => {
    const socket = world().agent({ ALPNProtocols: ['h2', 'http/1.1'] });
    await once(socket, 'secureConnect');
    expect(socket.alpnProtocol).toBe('h2');
    const session = connectHttp2('https://a.test', { createConnection: () => socket });
    expect(String((await callHttp2(session)).body)).toBe('hello 192.0.2.1:5555');
    session.destroy();
  });

  it('of TLS 1.2 is answered, of anything older it is not', async () => {
    const modern = world().agent({ maxVersion: 'TLSv1.2' });
    modern.write(get);
    expect(await read(modern, 'hello')).toContain('200 OK');
    const old = world().agent({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' });
    await until(() => old.destroyed);
    expect(old.getProtocol()).not.toBe('TLSv1.1');
  });

  it('with headers over the limit gets 431, and the next agent its answer', async () => {
    const { agent } = world();
    const socket = agent();
    socket.write(`GET / HTTP/1.1\r\nhost: a.test\r\nx: ${'y'.repeat(maxHeaderBytes)}\r\n\r\n`);
    expect(await read(socket, '\r\n')).toContain('431');
    const next = agent();
    next.write(get);
    expect(await read(next, 'hello')).toContain('200 OK');
  });

  it('may be silent for as long as an answer takes', async () => {
    let end: () => void = () => {};
    const { agent } = world(
      (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        (response as NodeJS.WritableStream).write('data: first\n\n');
        end = () => void (response as NodeJS.WritableStream).end('data: last\n\n');
      },
      { headersMs: 20, requestMs: 30, checkMs: 10, idleMs: 20 },
    );
    const socket = agent({ ALPNProtocols: ['h2'] });
    await once(socket, 'secureConnect');
    const session = connectHttp2('https://a.test', { createConnection: () => socket });
    const stream = session.request({ ':path': '/' });
    let text = '';
    stream.on('data', (chunk: Buffer) => (text += String(chunk)));
    await until(() => text.includes('first'));

    const plain = agent({ ALPNProtocols: ['http/1.1'] });
    plain.write(get);
    const answer = read(plain, 'last');
    const begun = performance.now();
    await until(() => performance.now() - begun > 150); // Many times every limit.
    end();
    expect(await answer).toContain('last');
    expect([session.destroyed, stream.destroyed]).toEqual([false, false]);
    session.destroy();
  });
});

describe('who never gets to a request', () => {
  it('is let go when the TLS handshake takes too long', async () => {
    const { clock, visit } = world(hello, { handshakeMs: 1000 });
    const { near, far } = visit();
    near.write(Buffer.from([22, 3, 1, 2, 0]));
    clock.advance(999);
    expect(far.destroyed).toBe(false);
    clock.advance(1);
    await until(() => far.destroyed);
    expect(clock.pending).toBe(0);
  });

  it('is let go when no headers come, or not all of them', async () => {
    for (const bytes of ['', 'GET / HTTP/1.1\r\nhost: a.te']) {
      const socket = world(hello, { headersMs: 20, requestMs: 30, checkMs: 10 }).agent({ ALPNProtocols: ['http/1.1'] });
      await once(socket, 'secureConnect');
      if (bytes) socket.write(bytes);
      socket.resume();
      await until(() => socket.far.destroyed);
    }
  });

  it('is let go when an HTTP/2 connection has nothing to do', async () => {
    const socket = world(hello, { idleMs: 20 }).agent({ ALPNProtocols: ['h2'] });
    await once(socket, 'secureConnect');
    const session = connectHttp2('https://a.test', { createConnection: () => socket });
    await callHttp2(session);
    await until(() => session.closed);
  });
});

describe('a visitor’s stream', () => {
  it('ends with its connection', async () => {
    const { inner, agent } = world();
    const socket = agent();
    await once(socket, 'secureConnect');
    inner.close();
    await until(() => socket.far.destroyed);
  });

  it('that ends without a goodbye ends its connection', async () => {
    const { agent } = world();
    const plain = agent({ ALPNProtocols: ['http/1.1'] });
    plain.write(get);
    await read(plain, 'hello');
    plain.far.push(null); // END_STREAM: the visitor has left, and nobody said so in TLS.
    await until(() => plain.far.destroyed);

    const socket = agent({ ALPNProtocols: ['h2'] });
    await once(socket, 'secureConnect');
    const session = connectHttp2('https://a.test', { createConnection: () => socket });
    await callHttp2(session);
    socket.far.push(null);
    await until(() => socket.far.destroyed);
    session.destroy();
  });

  it('with garbage instead of TLS, or after it, harms nobody', async () => {
    const { visit, agent } = world();
    const garbage = visit();
    garbage.near.write('GET / HTTP/1.1\r\n\r\n');
    await until(() => garbage.far.destroyed);

    const socket = agent();
    await once(socket, 'secureConnect');
    const raw = (socket as unknown as { far: Duplex }).far;
    raw.push(Buffer.from([23, 3, 3, 0, 20, ...Buffer.alloc(20, 7)])); // A record that nobody encrypted.
    await until(() => raw.destroyed);

    const next = agent();
    next.write(get);
    expect(await read(next, 'hello')).toContain('200 OK');
  });

  it('that arrives after the close is closed on arrival', async () => {
    const { inner, visit } = world();
    inner.close();
    const { far } = visit();
    await until(() => far.destroyed);
  });
});
