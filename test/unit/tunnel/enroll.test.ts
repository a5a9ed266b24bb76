import { X509Certificate } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { certificateTools } from '../../../src/certs/certificateTools.ts';
import { makeKeyPair } from '../../../src/certs/keyPair.ts';
import { TunnelError } from '../../../src/core/errors.ts';
import { systemClock, type Clock } from '../../../src/core/clock.ts';
import { silentEdgeLog } from '../../../src/edge/edgeLog.ts';
import { EdgeState } from '../../../src/edge/edgeState.ts';
import { enrolmentHandler } from '../../../src/edge/enrolment.ts';
import { loadEdgeIdentity } from '../../../src/tunnel/edgeIdentity.ts';
import { enroll, enrolAnswerMs, maxEnrolAnswerBytes, type EnrollOptions } from '../../../src/tunnel/enroll.ts';
import { anAuthority } from '../../support/certs.ts';
import { openEnrolmentDoor } from '../../support/enrolmentDoor.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { MemoryFiles } from '../../support/memoryFiles.ts';

const dayMs = 86_400_000;
const domain = 'edge.example.com';
const path = join('/edges', `${domain}.json`);

async function aWorld(handler?: RequestListener, shown?: { keyPem: string; certificatePem: string }) {
  const state = await EdgeState.load({ files: new MemoryFiles(), folder: '/edge', domain, clock: systemClock });
  const { token } = await state.mintToken();
  const real = enrolmentHandler(state, { clock: systemClock, log: silentEdgeLog });
  const door = await openEnrolmentDoor(handler ?? real, shown ?? state.serverIdentity());
  const files = new MemoryFiles();
  const dialled: object[] = [];
  const base: EnrollOptions = {
    edge: { host: domain, port: door.port },
    address: '127.0.0.1',
    token,
    mayDial: (destination) => dialled.push(destination),
    certs: certificateTools,
    files,
    folder: '/edges',
    clock: systemClock,
    signal: new AbortController().signal,
  };
  const join = (more: Partial<EnrollOptions> = {}) => enroll({ ...base, ...more });
  return { state, door, files, dialled, token, join, base };
}

describe('enroll', () => {
  it('keeps the certificate of an edge whose CA was named', async () => {
    const { state, door, files, dialled, join, base, token } = await aWorld();
    const ca = state.authority.certificatePem;
    const identity = await join({ ca });

    expect(dialled).toEqual([domain, '127.0.0.1'].map((host) => ({ carrier: 'edge', host: `${host}:${door.port}` })));
    expect(identity).toMatchObject({ domain, port: door.port, ca, serverCa: ca, address: '127.0.0.1' });
    expect(state.connectors().map(({ id }) => id)).toEqual([identity.connector]);
    expect(await loadEdgeIdentity(domain, base)).toEqual(identity);
    expect(files.texts.get(path)).not.toContain(token);
  });

  it('keeps the certificate of an edge whose pin was named, whoever signed what it shows', async () => {
    const { state, dialled, join } = await aWorld();
    const { pin } = state.serverIdentity();
    const identity = await join({ pin });
    expect(identity).toMatchObject({ pin });
    expect(dialled).toMatchObject([{ pin }, { pin }]);
  });

  it.each([
    ['ahead', 100 * dayMs, /expired on .* as this machine's clock says/],
    ['behind', -dayMs, /is not valid before .*: set this machine's clock right/],
  ])('is kept, and the clock named, where this machine’s clock is %s', async (_what, offMs, words) => {
    const { state, join, base } = await aWorld();
    const clock: Clock = {
      now: () => systemClock.now() + offMs,
      after: (ms, callback) => systemClock.after(ms, callback),
    };
    await expect(join({ pin: state.serverIdentity().pin, clock })).rejects.toThrow(words);
    expect((await loadEdgeIdentity(domain, base)).connector).toBe(state.connectors()[0]?.id);
  });

  it('makes a key of its own each time, which never leaves this machine', async () => {
    const bodies: string[] = [];
    const { state, join } = await aWorld((request, response) => {
      request.on('data', (chunk: Buffer) => bodies.push(chunk.toString()));
      request.on('end', () => response.writeHead(403).end('{"error":{"message":"no"}}'));
    });
    const { pin } = state.serverIdentity();
    await expect(join({ pin })).rejects.toThrow('no');
    await expect(join({ pin })).rejects.toThrow('no');
    const requests = bodies.map((body) => (JSON.parse(body) as { csr: string }).csr);
    expect(new Set(requests).size).toBe(2);
    expect(bodies.join('')).not.toContain('PRIVATE');
  });

  it('asks the policy before it looks anything up', async () => {
    const { door, join, files } = await aWorld();
    const mayDial = (): void => {
      throw new TunnelError('DESTINATION_DENIED', 'not on the allowlist');
    };
    await expect(join({ mayDial })).rejects.toMatchObject({ code: 'DESTINATION_DENIED' });
    expect(door.connections()).toBe(0);
    expect(files.texts.size).toBe(0);
  });
});

describe('an edge that is not the one named', () => {
  it('hears nothing of the token: neither CA nor pin fit', async () => {
    const { state, door, files, join, token } = await aWorld();
    const foreign = await anAuthority();
    const { publicKey } = await makeKeyPair();
    const other = new X509Certificate(foreign.issueServer({ names: ['localhost'], publicKey, days: 1 }));
    const otherPin = state.serverIdentity().pin.replace(/.{4}=$/, 'AAA=');

    await expect(join()).rejects.toMatchObject({ code: 'EDGE_IDENTITY' });
    await expect(join({ ca: foreign.certificatePem })).rejects.toThrow('is not trusted here');
    await expect(join({ pin: otherPin })).rejects.toThrow(`not the pinned ${otherPin}`);
    await expect(join({ pin: 'rubbish' })).rejects.toMatchObject({ code: 'EDGE_IDENTITY' });
    expect(other.ca).toBe(false);
    expect(door.connections()).toBe(4);
    expect(door.requests()).toBe(0);
    expect(files.texts.size).toBe(0);
    await expect(state.checkToken(token)).resolves.toBeUndefined();
  });

  it.each([
    ['expired', -30 * dayMs, 'has expired'],
    ['not yet valid', 30 * dayMs, 'is not valid yet'],
  ])('is refused when its certificate is %s', async (_what, awayMs, words) => {
    const clock = new FakeClock(Date.now() + Math.min(awayMs, 0));
    const authority = await anAuthority({ clock });
    const key = await makeKeyPair();
    clock.advance(Math.max(awayMs, 0));
    const certificatePem = authority.issueServer({ names: [`enroll.${domain}`], publicKey: key.publicKey, days: 1 });
    const { door, join } = await aWorld(undefined, { keyPem: key.privateKeyPem, certificatePem });
    await expect(join({ ca: authority.certificatePem })).rejects.toMatchObject({
      code: 'CERTIFICATE_INVALID',
      message: expect.stringContaining(words) as string,
    });
    expect(door.requests()).toBe(0);
  });

  it('is refused when its certificate names another host', async () => {
    const authority = await anAuthority();
    const key = await makeKeyPair();
    const certificatePem = authority.issueServer({ names: ['x.example.com'], publicKey: key.publicKey, days: 1 });
    const { join } = await aWorld(undefined, { keyPem: key.privateKeyPem, certificatePem });
    await expect(join({ ca: authority.certificatePem })).rejects.toThrow('belongs to another name');
  });
});

describe('an edge that refuses', () => {
  it('is quoted, and nothing is kept', async () => {
    const { state, files, join, token } = await aWorld();
    const { pin } = state.serverIdentity();
    await state.spendToken(token);
    await expect(join({ pin })).rejects.toMatchObject({
      code: 'ENROLMENT_REFUSED',
      message: `${domain}: the enrolment token is not valid here (unknown, used or expired): ask for a new one`,
    });
    expect(files.texts.size).toBe(0);
  });

  it('cannot write to the terminal of who reads it', async () => {
    const message = `\u001b[2Jno\r\n${'x'.repeat(1000)}`;
    const { state, join } = await aWorld((_request, response) => {
      response.writeHead(403).end(JSON.stringify({ error: { message } }));
    });
    const refusal = await join({ pin: state.serverIdentity().pin }).catch((error: Error) => error.message);
    expect(refusal).toBe(`${domain}: ?[2Jno??${'x'.repeat(292)}…`);
  });
});

describe('an edge that answers something else', () => {
  type Body = Record<string, unknown>;
  const good = (state: EdgeState): Body => ({
    connector: '0123456789abcdef',
    certificate: state.authority.certificatePem,
    ca: state.authority.certificatePem,
    domain,
    expiresMs: 1,
  });
  const cases: [string, (state: EdgeState) => string, string][] = [
    ['no JSON', () => '<html>', 'without JSON'],
    ['an empty object', () => '{}', 'something else than a certificate'],
    ['a certificate for another key', (state) => JSON.stringify(good(state)), 'a certificate for another key'],
    ['rubbish for a certificate', (state) => JSON.stringify({ ...good(state), certificate: 'x' }), 'for another key'],
    ['another domain', (state) => JSON.stringify({ ...good(state), domain: '../../x' }), 'calls itself ../../x'],
    ['a strange id', (state) => JSON.stringify({ ...good(state), connector: '../x' }), 'something else'],
    ['more than the limit', () => 'x'.repeat(maxEnrolAnswerBytes + 1), `more than ${maxEnrolAnswerBytes} bytes`],
  ];

  it.each(cases)('is refused: %s', async (_what, body, words) => {
    let edge: EdgeState | undefined;
    const world = await aWorld((_request, response) => void response.end(edge && body(edge)));
    edge = world.state;
    await expect(world.join({ pin: edge.serverIdentity().pin })).rejects.toMatchObject({
      code: 'EDGE_IDENTITY',
      message: expect.stringContaining(words) as string,
    });
    expect(world.files.texts.size).toBe(0);
  });

  it('is given up when it breaks off or never answers', async () => {
    const breaking = await aWorld((request) => void request.socket.destroy());
    const broken = breaking.join({ pin: breaking.state.serverIdentity().pin });
    await expect(broken).rejects.toMatchObject({ code: 'EDGE_UNREACHABLE' });

    const silent = await aWorld(() => {});
    const clock = new FakeClock();
    const unanswered = silent.join({ pin: silent.state.serverIdentity().pin, clock });
    unanswered.catch(() => {});
    await expect.poll(() => silent.door.requests()).toBe(1);
    clock.advance(enrolAnswerMs);
    await expect(unanswered).rejects.toThrow('did not answer in time');
  });

  it('is left at once when the caller cancels', async () => {
    const silent = await aWorld(() => {});
    const controller = new AbortController();
    const cancelled = silent.join({ pin: silent.state.serverIdentity().pin, signal: controller.signal });
    cancelled.catch(() => {});
    await expect.poll(() => silent.door.requests()).toBe(1);
    controller.abort(new TunnelError('CANCELLED', 'no longer'));
    await expect(cancelled).rejects.toThrow('no longer');
  });
});

describe('an address to connect to', () => {
  it('must be allowed as well as the name that it stands for', async () => {
    const asked: string[] = [];
    const { state, join } = await aWorld();
    const mayDial: EnrollOptions['mayDial'] = ({ host }) => {
      asked.push(host);
      if (host.startsWith('127.0.0.1')) throw new TunnelError('DESTINATION_DENIED', 'not there');
    };
    const joining = join({ pin: state.serverIdentity().pin, mayDial });
    await expect(joining).rejects.toMatchObject({ code: 'DESTINATION_DENIED' });
    expect(asked).toHaveLength(2);
    expect(asked[0]).toMatch(new RegExp(`^${domain}:\\d+$`));
    expect(asked[1]).toMatch(/^127\.0\.0\.1:\d+$/);
  });
});
