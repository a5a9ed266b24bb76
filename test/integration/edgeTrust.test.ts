// What holds between a machine and its edge over time: certificates that renew themselves under open streams, and what
// whoever runs the edge takes away, at once and for good. The orders come from another process on the edge's files.
import { once } from 'node:events';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { OpenCarrier, Serve } from '../../src/carriers/carrier.ts';
import { edgeCarrier } from '../../src/carriers/edge.ts';
import type { Authority } from '../../src/certs/authority.ts';
import { certificateTools } from '../../src/certs/certificateTools.ts';
import { createCsr } from '../../src/certs/csr.ts';
import { makeKeyPair } from '../../src/certs/keyPair.ts';
import { systemClock, type Clock } from '../../src/core/clock.ts';
import { enrolConnector } from '../../src/edge/certificates.ts';
import { maxRenewalsPerDay } from '../../src/edge/connectorRules.ts';
import { Edge } from '../../src/edge/edge.ts';
import { EdgeState, type EdgeStateOptions } from '../../src/edge/edgeState.ts';
import { connectorAlpn } from '../../src/protocol/edge.ts';
import { loadEdgeIdentity, saveEdgeIdentity, type EdgeIdentity } from '../../src/tunnel/edgeIdentity.ts';
import { IdentityRenewal } from '../../src/tunnel/identityRenewal.ts';
import { openConnectorLink } from '../../src/wire/framings.ts';
import type { ConnectorPeer } from '../../src/wire/link.ts';
import { callHttp1, openHttp1, type Target } from '../support/agents.ts';
import { anAuthority } from '../support/certs.ts';
import { recordingLog } from '../support/edgeLogs.ts';
import { CountingClock, expectNothingLeft } from '../support/leaks.ts';
import { MemoryFiles } from '../support/memoryFiles.ts';
import { until } from '../support/until.ts';

const domain = 'edge.test';
/** How often the edge looks at its links. */
const reviewMs = 300;
const hello: Serve = (_request, response) => void (response as NodeJS.WritableStream).end('hello');

const dayMs = 86_400_000;

class SettableClock extends CountingClock {
  offMs = 0;

  override now(): number {
    return super.now() + this.offMs;
  }
}

const closed = (stream: { on(event: 'close' | 'error', heard: () => void): unknown }): Promise<void> =>
  new Promise((resolve) => {
    stream.on('error', () => {});
    stream.on('close', resolve);
  });

class World {
  readonly log: string[] = [];
  readonly clock = new CountingClock();
  readonly #edgeFiles = new MemoryFiles();
  readonly #options: Partial<EdgeStateOptions>;
  state!: EdgeState;
  /** Another process on the same files. */
  admin!: EdgeState;
  edge!: Edge;
  #local!: Authority;

  private constructor(options: Partial<EdgeStateOptions>) {
    this.#options = options;
  }

  static async make(options: Partial<EdgeStateOptions> = {}): Promise<World> {
    const world = new World(options);
    expectNothingLeft(world.clock);
    [world.state, world.admin, world.#local] = [await world.#load(), await world.#load(), await anAuthority()];
    await world.#start(0);
    return world;
  }

  async #start(port: number): Promise<void> {
    const { state, clock } = this;
    const listen = { host: '127.0.0.1', port };
    const edge = await Edge.start({ state, domain, listen, clock, log: recordingLog(this.log), reviewMs });
    onTestFinished(() => edge.close());
    this.edge = edge;
  }

  async restart(): Promise<void> {
    const { port } = this.edge;
    await this.edge.close();
    await this.#start(port);
  }

  async #load(): Promise<EdgeState> {
    const { clock } = this;
    return EdgeState.load({ files: this.#edgeFiles, folder: '/edge', domain, clock, ...this.#options });
  }

  target(hostname: string): Target {
    return { hostname, port: this.edge.port, ca: this.#local.certificatePem };
  }

  /** The machine a token was made for, as enrolment leaves it. */
  async enrol(token?: string): Promise<EdgeIdentity> {
    const key = await makeKeyPair();
    const asked = { token: token ?? (await this.state.mintToken()).token, csr: createCsr(key, 'x') };
    const enrolled = await enrolConnector(this.state, asked, this.clock);
    const { port } = this.edge;
    return { version: 1, port, address: '127.0.0.1', key: key.privateKeyPem, ...enrolled };
  }

  /** A tunnel of that machine, with what keeps its certificate young. */
  async open(
    identity: EdgeIdentity,
    serve = hello,
    label = 'everything',
    clock: Clock = this.clock,
  ): Promise<OpenCarrier & { files: MemoryFiles }> {
    const files = new MemoryFiles();
    const where = { files, folder: '/edges', clock, certs: certificateTools };
    await saveEdgeIdentity(identity, files, where.folder);
    const log = (line: string): void => void this.log.push(line);
    const carrier = edgeCarrier({
      identity: () => loadEdgeIdentity(domain, where),
      renewal: (over) => new IdentityRenewal({ ...where, domain, random: () => 0, ...over }),
      authority: this.#local,
      caFile: '/ca.pem',
      clock,
      random: () => 0.01,
    });
    const mayDial = (): void => {};
    const wanted = { label, instance: `of-${label}`, portIsFixed: false, serve, mayDial, log };
    const open = await carrier.open(wanted, new AbortController().signal);
    onTestFinished(() => open.close());
    return Object.assign(open, { files });
  }

  /** The machine's end of a link, without a connector around it. */
  async link({ key, certificate, ca }: EdgeIdentity): Promise<{ socket: TLSSocket; control: ConnectorPeer }> {
    const socket = this.dial({ key, cert: certificate, ca });
    await once(socket, 'secureConnect');
    const link = openConnectorLink(socket, { clock: this.clock, onStream: (stream) => void stream.resume() });
    onTestFinished(() => link.close());
    return { socket, control: await link.control };
  }

  dial(options: { key: string; cert: string; ca: string; session?: Buffer }): TLSSocket {
    const { port } = this.edge;
    const ALPNProtocols = [connectorAlpn.http2];
    const socket = connectTls({ port, host: '127.0.0.1', servername: `connect.${domain}`, ALPNProtocols, ...options });
    socket.on('error', () => {});
    onTestFinished(() => void socket.destroy());
    return socket;
  }
}

describe('a certificate', () => {
  it(
    'is renewed under an open stream, past the end of the one the link was made with',
    { timeout: 60_000 },
    async () => {
      const here = await World.make({ connectorMs: 4000 });
      const identity = await here.enrol();
      const open = await here.open(identity, (_request, response) => {
        (response as NodeJS.WritableStream).write('begun');
      });
      const answer = await openHttp1(here.target(open.hostname));
      let isOver = false;
      answer
        .once('close', () => (isOver = true))
        .on('error', () => {})
        .resume();
      const kinds: string[] = [];
      open.onState(({ kind }) => void kinds.push(kind));

      const renewals = (): number => here.log.filter((line) => line.includes('has a new certificate')).length;
      await until(() => isOver || (renewals() > 2 && Date.now() > identity.expiresMs + 3 * reviewMs), 30_000);
      expect([isOver, kinds]).toEqual([false, []]);

      const kept = await loadEdgeIdentity(domain, {
        files: open.files,
        folder: '/edges',
        clock: systemClock,
        certs: certificateTools,
      });
      expect(kept).toMatchObject({ connector: identity.connector, ca: identity.ca });
      expect(kept.key).not.toBe(identity.key);
      const { control } = await here.link(kept); // What was renewed opens the door.
      control.start();
      answer.destroy();
    },
  );

  it('that nobody renewed ends its links, at the edge as well', { timeout: 60_000 }, async () => {
    const here = await World.make({ connectorMs: 2000 });
    const identity = await here.enrol();
    const { socket } = await here.link(identity);
    await once(socket, 'close');
    expect(Date.now()).toBeGreaterThan(identity.expiresMs);
    expect(here.log.join()).toContain('its certificate has expired');
  });

  it('that a wrong clock makes useless is waited for: the tunnel goes on when the clock is right again', async () => {
    const here = await World.make();
    const clock = new SettableClock();
    const open = await here.open(await here.enrol(), hello, 'everything', clock);
    const heard: string[] = [];
    open.onState((state) => void heard.push(JSON.stringify(state)));
    for (const [offMs, words] of [
      [-2 * dayMs, "set this machine's clock right"],
      [200 * dayMs, 'if not, set the clock right'],
    ] as const) {
      clock.offMs = offMs;
      await here.restart();
      await until(() => heard.some((state) => state.includes('"waiting"') && state.includes(words)));
      clock.offMs = 0;
      await until(() => open.state.kind === 'connected');
    }
    expect((await callHttp1(here.target(open.hostname))).body.toString()).toBe('hello');
  });

  it('is refused for a request that is no good, for a revoked connector, and for too many in a day', async () => {
    const here = await World.make();
    const { control } = await here.link(await here.enrol());
    control.start();
    const ask = (csr: unknown) => control.request('certificate/renew', { csr: csr as string });
    for (const csr of ['', 'x', 'x'.repeat(5000)]) {
      await expect(ask(csr)).rejects.toMatchObject({ code: 'CERTIFICATE_INVALID' });
    }
    for (const csr of [undefined, 7, {}]) await expect(ask(csr)).rejects.toMatchObject({ code: 'USAGE' });
    const csr = createCsr(await makeKeyPair(), 'somebody else');
    for (let renewal = 0; renewal < maxRenewalsPerDay; renewal++) await ask(csr);
    await expect(ask(csr)).rejects.toMatchObject({ code: 'LIMIT' });
  });
});

describe('a revoked connector', () => {
  it('is cut off with its open streams by an order of another process, and stays out', async () => {
    const here = await World.make();
    const identity = await here.enrol();
    const open = await here.open(identity, (_request, response) => {
      (response as NodeJS.WritableStream).write('begun');
    });
    const answer = await openHttp1(here.target(open.hostname));
    const over = closed(answer.resume());
    await here.admin.revokeConnector(identity.connector);
    await over;
    await until(() => open.state.kind === 'failed');
    expect(open.state).toMatchObject({
      error: { code: 'CERTIFICATE_INVALID', message: expect.stringContaining('has revoked') as string },
    });
    expect([here.edge.routes(), here.state.ownerOf('everything')]).toEqual([[], undefined]);
    await expect(here.open(identity)).rejects.toMatchObject({ code: 'CERTIFICATE_INVALID' });
    await here.open(await here.enrol()); // The name is free.
  });

  it('is refused with a resumed TLS session as well, and so is an expired one', async () => {
    const here = await World.make({ connectorMs: 3000 });
    const heard = async (socket: TLSSocket): Promise<[boolean, string]> => {
      const chunks: Buffer[] = [];
      let isReused = false;
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      socket.once('secureConnect', () => (isReused = socket.isSessionReused()));
      await closed(socket);
      return [isReused, Buffer.concat(chunks).toString('latin1')];
    };
    const withSession = async (): Promise<{ identity: EdgeIdentity; session: Buffer }> => {
      const identity = await here.enrol();
      const socket = here.dial({ key: identity.key, cert: identity.certificate, ca: identity.ca });
      const [session] = (await once(socket, 'session')) as [Buffer];
      return { identity, session };
    };
    const one = await withSession();
    const two = await withSession();
    const again = ({ identity, session }: typeof one): TLSSocket =>
      here.dial({ key: identity.key, cert: identity.certificate, ca: identity.ca, session });

    await here.state.revokeConnector(one.identity.connector);
    const [isReused, text] = await heard(again(one));
    expect(isReused).toBe(true);
    expect(text.endsWith('revoked')).toBe(true);

    await until(() => Date.now() > two.identity.expiresMs);
    const [, later] = await heard(again(two));
    expect(later.endsWith('expired')).toBe(true);
  });
});

describe('a name', () => {
  it('that is given to another connector leaves its tunnel at once, and the old owner cannot take it back', async () => {
    const here = await World.make();
    const [old, next] = [await here.enrol(), await here.enrol()];
    const open = await here.open(old);
    await here.admin.transferLabel('everything', next.connector);
    await until(() => open.state.kind === 'failed');
    expect(open.state).toMatchObject({
      error: { code: 'ROUTE_DENIED', message: expect.stringContaining('took the name everything') as string },
    });
    expect(here.edge.routes()).toEqual([]);
    await expect(here.open(old)).rejects.toMatchObject({
      code: 'ROUTE_DENIED',
      message: expect.stringContaining('belongs to another connector') as string,
    });
    const { hostname } = await here.open(next);
    expect((await callHttp1(here.target(hostname))).body.toString()).toBe('hello');
  });

  it('that is taken from a machine which goes on regardless is cut off with the visitors who came for it', async () => {
    const here = await World.make();
    const { control, socket } = await here.link(await here.enrol());
    const lost: unknown[] = [];
    control.on('route/lost', (said) => void lost.push(said));
    control.start();
    await control.request('route/claim', { label: 'everything', instance: 'i', run: 'r' });
    const visitor = connectTls({ port: here.edge.port, host: '127.0.0.1', servername: `everything.${domain}` });
    const ends = Promise.all([closed(socket), closed(visitor)]);
    await until(() => here.edge.counters.visitors === 1);
    await here.admin.releaseLabel('everything');
    await ends;
    expect(lost).toMatchObject([{ label: 'everything', error: { code: 'ROUTE_DENIED' } }]);
  });

  it('stays with a machine that is enrolled again as the same connector', async () => {
    const here = await World.make();
    const first = await here.enrol();
    await (await here.open(first)).close();
    const { token } = await here.admin.mintToken({ connector: first.connector });
    const again = await here.enrol(token);
    expect(again.connector).toBe(first.connector);
    expect(again.key).not.toBe(first.key);
    const { hostname } = await here.open(again);
    expect((await callHttp1(here.target(hostname))).body.toString()).toBe('hello');
  });
});
