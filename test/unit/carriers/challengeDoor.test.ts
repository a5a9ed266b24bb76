import type { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer, connect as connectTcp, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { Transform, type Duplex } from 'node:stream';
import { connect, createSecureContext, TLSSocket, type ConnectionOptions } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { acmeProtocol, ChallengeDoor, challengeMs, maxLooks } from '../../../src/carriers/challengeDoor.ts';
import { challengeCertificate } from '../../../src/certs/challengeCertificate.ts';
import { makeKeyPair } from '../../../src/certs/keyPair.ts';
import { anAuthority } from '../../support/certs.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { until } from '../../support/until.ts';

const hostname = 'mine.edge.example';
const proofKey = await makeKeyPair();
const proof = createSecureContext({
  key: proofKey.privateKeyPem,
  cert: challengeCertificate(hostname, 'token.thumbprint', proofKey, Date.now()),
});
const authority = await anAuthority();
const agentKey = await makeKeyPair();
const agents = createSecureContext({
  key: agentKey.privateKeyPem,
  cert: authority.issueServer({ names: [hostname], publicKey: agentKey.publicKey, days: 1 }),
});

/** A door behind a real socket; agents that pass it are served a line of text. */
async function aDoor({ pending = true } = {}) {
  const clock = new FakeClock();
  const state = { pending, accepted: [] as Duplex[], sockets: [] as Socket[] };
  const door = new ChallengeDoor({
    challenge: (name) => (name === hostname ? proof : undefined),
    isPending: () => state.pending,
    accept: (stream) => {
      state.accepted.push(stream);
      const socket = new TLSSocket(stream, { isServer: true, secureContext: agents, ALPNProtocols: ['http/1.1'] });
      socket.on('error', () => {});
      socket.once('secure', () => socket.end('for agents'));
    },
    clock,
  });
  const server = createServer((socket) => {
    state.sockets.push(socket.on('error', () => {}));
    door.take(socket, '192.0.2.1');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    door.close();
    for (const socket of state.sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  const { port } = server.address() as AddressInfo;
  return { clock, state, door, port };
}

/** One byte at a time, as a slow line may. */
const byteWise = (): Transform =>
  new Transform({
    transform(chunk: Buffer, _encoding, done) {
      for (const byte of chunk) this.push(Buffer.from([byte]));
      done();
    },
  });

async function visit(port: number, options: ConnectionOptions, slow = false) {
  const raw = connectTcp(port, '127.0.0.1');
  await once(raw, 'connect');
  raw.setNoDelay(true);
  let socket;
  if (slow) {
    const { Duplex: Both } = await import('node:stream');
    const [out, back] = [byteWise(), byteWise()];
    out.pipe(raw).pipe(back);
    socket = connect({ socket: Both.from({ readable: back, writable: out }), rejectUnauthorized: false, ...options });
  } else socket = connect({ socket: raw, rejectUnauthorized: false, ...options });
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const failed = await Promise.race([
    once(socket, 'end').then(() => undefined),
    once(socket, 'error').then(([error]) => error as Error),
    once(socket, 'close').then(() => undefined),
  ]).catch((error: Error) => error);
  const certificate = socket.getPeerX509Certificate();
  const alpn = socket.alpnProtocol;
  socket.destroy();
  raw.destroy();
  return { text, failed, alpn, certificate };
}

const aCa = { servername: hostname, ALPNProtocols: [acmeProtocol] };
const isProof = (certificate: X509Certificate | undefined): boolean =>
  certificate?.publicKey.equals(proofKey.publicKey) ?? false;

describe('while a certificate authority is awaited', () => {
  it.each([false, true])('it is shown the proof, and agents come in as ever (byte by byte: %s)', async (slow) => {
    const { port, state } = await aDoor();
    const ca = await visit(port, aCa, slow);
    expect(isProof(ca.certificate)).toBe(true);
    expect(ca).toMatchObject({ alpn: acmeProtocol, text: '' });
    expect(state.accepted).toEqual([]);
    const agent = await visit(port, { servername: hostname, ALPNProtocols: ['h2', 'http/1.1'] }, slow);
    expect(isProof(agent.certificate)).toBe(false);
    expect(agent.text).toBe('for agents');
  });

  it.each<[string, ConnectionOptions]>([
    ['another name', { ...aCa, servername: 'other.edge.example' }],
    ['no name', { ALPNProtocols: [acmeProtocol] }],
    ['other protocols besides', { ...aCa, ALPNProtocols: [acmeProtocol, 'http/1.1'] }],
    ['no protocol', { servername: hostname }],
  ])('who comes with %s is an agent like any other, and never sees the proof', async (_name, options) => {
    const { port, state } = await aDoor();
    const { certificate } = await visit(port, options);
    expect(isProof(certificate)).toBe(false);
    expect(state.accepted).toHaveLength(1);
  });

  it('passes on what is no TLS as it came, and lets go who says nothing', async () => {
    const { port, state, clock } = await aDoor();
    const plain = connectTcp(port, '127.0.0.1');
    plain.end('GET / HTTP/1.1\r\n\r\n');
    await until(() => state.accepted.length === 1);
    plain.destroy();
    const silent = connectTcp(port, '127.0.0.1').on('error', () => {});
    await until(() => state.sockets.length === 2);
    clock.advance(challengeMs + 1);
    await once(silent.resume(), 'close');
    expect(state.accepted).toHaveLength(1);
  });

  it('looks at so many at a time, and takes the next for agents', async () => {
    const { port, state } = await aDoor();
    const silent = Array.from({ length: maxLooks + 3 }, () => connectTcp(port, '127.0.0.1').on('error', () => {}));
    await until(() => state.accepted.length === 3 && state.sockets.length === maxLooks + 3);
    for (const socket of silent) socket.destroy();
  });
});

it('looks at nothing while no authority is awaited', async () => {
  const { port, state, clock } = await aDoor({ pending: false });
  const quiet = connectTcp(port, '127.0.0.1').on('error', () => {});
  await until(() => state.accepted.length === 1);
  expect(clock.pending).toBe(0);
  quiet.destroy();
});
