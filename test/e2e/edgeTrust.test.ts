// Trust between a machine and its edge, each a process of its own: orders of whoever runs the edge, clocks that are
// wrong by days, and certificates that somebody replaces while the edge runs.
import { existsSync, readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { makeKeyPair } from '../../src/certs/keyPair.ts';
import { systemClock } from '../../src/core/clock.ts';
import { EdgeState } from '../../src/edge/edgeState.ts';
import { PrivateFileStore } from '../../src/helper/privateFiles.ts';
import { anAuthority } from '../support/certs.ts';
import { debianPackages } from '../support/debianPackages.ts';
import { everything, runCommand, startCommand, type RunningCommand } from '../support/command.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { until } from '../support/until.ts';

const domain = 'trust.localhost';
type Env = Record<string, string>;

class World {
  readonly data: string;
  readonly home: string;
  readonly command: RunningCommand;
  readonly port: number;
  readonly pin: string;
  connector = '';

  private constructor(data: string, home: string, command: RunningCommand, ready: { address: string; pin: string }) {
    this.data = data;
    this.home = home;
    this.command = command;
    this.port = Number(ready.address.split(':').at(-1));
    this.pin = ready.pin;
  }

  /** An edge that runs, and a machine that may dial it. */
  static async make(more: string[] = [], env: Env = {}, known: Partial<World> = {}): Promise<World> {
    const data = known.data ?? (await temporaryFolder());
    const home = known.home ?? (await temporaryFolder());
    const listen = ['--listen', `127.0.0.1:${known.port ?? 0}`];
    const words = ['edge', 'run', '--json', '--domain', domain, ...listen, '--data', data, ...more];
    const command = startCommand(words, { home: data, env });
    const ready = (await command.line('ready')) as unknown as { address: string; pin: string };
    const world = new World(data, home, command, ready);
    if (known.home === undefined) await runCommand(['allow', 'add', 'edge', world.place, '--json'], { home });
    return world;
  }

  get place(): string {
    return `${domain}:${this.port}`;
  }

  admin(...words: string[]): ReturnType<typeof runCommand> {
    return runCommand(['edge', ...words, '--json', '--data', this.data], { home: this.data });
  }

  async enrol(trust: string[] = ['--pin', this.pin], env: Env = {}): ReturnType<typeof runCommand> {
    const { token } = await (await filesOf(this)).mintToken();
    const words = ['enroll', this.place, '--json', '--token-file', '-', ...trust];
    const enrolled = await runCommand(words, { home: this.home, input: token, env });
    this.connector = String(enrolled.lines[0]?.['connector']);
    return enrolled;
  }

  expose(env: Env = {}): RunningCommand {
    const words = [
      'expose',
      '--json',
      '--carrier',
      'edge',
      '--edge',
      this.place,
      '--name',
      'mine',
      '--',
      ...everything,
    ];
    return startCommand(words, { home: this.home, env });
  }

  /** A visitor whose inner TLS stands. */
  async visit(): Promise<TLSSocket> {
    const socket = connect({
      port: this.port,
      host: '127.0.0.1',
      servername: `mine.${domain}`,
      rejectUnauthorized: false,
    });
    onTestFinished(() => void socket.destroy());
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    return socket;
  }
}

const closed = (socket: TLSSocket): Promise<void> =>
  new Promise((resolve) => socket.on('error', () => {}).once('close', () => resolve()));

type Failed = { kind: string; error?: { code: string; message: string } };
const failure = async (command: RunningCommand): Promise<Failed> => {
  const isFailed = (line: Record<string, unknown>): boolean => (line['state'] as Failed | undefined)?.kind === 'failed';
  return (await command.line(isFailed))['state'] as Failed;
};

describe('an order of whoever runs the edge', () => {
  it('to revoke, by the running edge, ends open connections and the tunnel', async () => {
    const world = await World.make();
    expect((await world.enrol()).code).toBe(0);
    const exposed = world.expose();
    await exposed.line('ready');
    const over = closed(await world.visit());
    expect((await world.admin('revoke', world.connector)).code).toBe(0);
    await over;
    expect(await failure(exposed)).toMatchObject({ error: { code: 'CERTIFICATE_INVALID' } });
    expect((await world.enrol()).code).toBe(0);
    await world.expose().line('ready'); // Another identity, and the name is free.
  });

  it('to give a name away, by its files, ends the tunnel that had it', async () => {
    const world = await World.make();
    await world.enrol();
    const exposed = world.expose();
    await exposed.line('ready');
    const over = closed(await world.visit());
    const files = await filesOf(world);
    const other = (await files.spendToken((await files.mintToken()).token)).connector;
    await files.transferLabel('mine', other);
    await over;
    const state = await failure(exposed);
    expect(state.error).toMatchObject({ code: 'ROUTE_DENIED' });
    expect(state.error?.message).toContain('took the name mine from this machine');
    const refused = world.expose();
    expect(await refused.line('error')).toMatchObject({ code: 'ROUTE_DENIED' });
  });

  it('lets a machine that lost its certificate come back as itself, to its names', async () => {
    const world = await World.make();
    await world.enrol();
    const exposed = world.expose();
    await exposed.line('ready');
    await exposed.stop();
    const before = world.connector;
    const again = await temporaryFolder();
    await runCommand(['allow', 'add', 'edge', world.place, '--json'], { home: again });
    const minted = await world.admin('token', '--connector', before);
    const input = String(minted.lines[0]?.['token']);
    const words = ['enroll', world.place, '--json', '--token-file', '-', '--pin', world.pin];
    const enrolled = await runCommand(words, { home: again, input });
    expect(enrolled.lines[0]).toMatchObject({ event: 'enrolled', connector: before });
  });
});

const filesOf = ({ data }: World): Promise<EdgeState> =>
  EdgeState.load({ files: new PrivateFileStore(), folder: data, domain, clock: systemClock });

describe('a clock that is wrong', () => {
  const clock: { at: (offset: string) => Env } = { at: () => ({}) };
  beforeAll(async () => {
    await debianPackages('faketime');
    const libraries = readdirSync('/usr/lib').map((name) => `/usr/lib/${name}/faketime/libfaketime.so.1`);
    const library = libraries.find((path) => existsSync(path));
    clock.at = (offset) => ({ LD_PRELOAD: String(library), FAKETIME: offset, FAKETIME_DONT_FAKE_MONOTONIC: '1' });
  });

  const said = async (exposed: RunningCommand): Promise<string> => String((await exposed.line('error'))['message']);

  it('on this machine is named, ahead and behind, where its own certificate shows it', async () => {
    const world = await World.make();
    await world.enrol();
    expect(await said(world.expose(clock.at('+100d')))).toMatch(
      /this machine's certificate for trust\.localhost expired on .* if it is \d{4}-\d\d-\d\d \d\d:\d\d UTC, as this machine's clock says, .*; if not, set the clock right/,
    );
    expect(await said(world.expose(clock.at('-2d')))).toMatch(
      /is not valid before .*, and this machine's clock says .*: set this machine's clock right/,
    );
    const token = await world.admin('token', '--connector', world.connector);
    expect(token.code).toBe(0);
  });

  it('on this machine is named at enrolment, where the edge is known by its CA', async () => {
    const world = await World.make();
    const ca = join(world.home, 'ca.pem');
    await writeFile(ca, (await filesOf(world)).authority.certificatePem);
    expect(await world.enrol(['--ca', ca], clock.at('+100d'))).toMatchObject({
      code: 4,
      lines: [{ code: 'CERTIFICATE_INVALID', message: expect.stringContaining('has expired: if it is ') as string }],
    });
    expect(await world.enrol(['--ca', ca], clock.at('-2d'))).toMatchObject({
      code: 4,
      lines: [{ message: expect.stringContaining("set this machine's clock right") as string }],
    });
    expect((await world.enrol(['--ca', ca])).code).toBe(0);
  });

  it('at the edge is told from one of this machine', async () => {
    const world = await World.make();
    await world.enrol();
    await world.command.stop();
    const ahead = await World.make([], clock.at('+100d'), world);
    expect(await said(world.expose())).toContain(
      'by the edge’s clock this machine’s certificate has expired, and by this machine’s clock it has not',
    );
    await ahead.command.stop();
    // One that is behind its own beginnings does not even start.
    const words = ['edge', 'run', '--json', '--listen', '127.0.0.1:0', '--data', world.data];
    const behind = await runCommand(words, { home: world.data, env: clock.at('-2d') });
    expect(behind).toMatchObject({ code: 4, lines: [{ code: 'CERTIFICATE_INVALID' }] });
    expect(behind.stderr).toMatch(/authority\.pem is not valid before .*: set this machine's clock right/);
  });

  it('at the edge, behind, is told from one of this machine as well', async () => {
    const world = await World.make([], clock.at('-9d'));
    await world.command.stop();
    const right = await World.make([], {}, world);
    await right.enrol();
    await right.command.stop();
    await World.make([], clock.at('-5d'), world);
    expect(await said(world.expose())).toContain(
      'by the edge’s clock this machine’s certificate is not valid yet, and by this machine’s clock it is',
    );
  });
});

describe('a certificate that was brought for the doors', () => {
  it('is trusted by a named CA file, or by what Node trusts besides, and replaced without a restart', async () => {
    const [authority, stranger] = [await anAuthority(), await anAuthority()];
    const folder = await temporaryFolder();
    const [cert, keyFile, ca] = [join(folder, 'cert.pem'), join(folder, 'key.pem'), join(folder, 'ca.pem')];
    const put = async (names: string[], issuer = authority): Promise<void> => {
      const key = await makeKeyPair();
      await writeFile(cert, issuer.issueServer({ names, publicKey: key.publicKey, days: 30 }));
      await writeFile(keyFile, key.privateKeyPem);
    };
    const doors = [`connect.${domain}`, `enroll.${domain}`];
    await put(doors);
    await writeFile(ca, authority.certificatePem);
    const world = await World.make(['--cert', cert, '--key', keyFile]);

    expect(await world.enrol([])).toMatchObject({ code: 4, lines: [{ code: 'EDGE_IDENTITY' }] });
    expect((await world.enrol(['--ca', ca])).code).toBe(0);
    expect((await world.enrol([], { NODE_EXTRA_CA_CERTS: ca })).code).toBe(0);
    const exposed = world.expose({ NODE_EXTRA_CA_CERTS: ca });
    await exposed.line('ready');
    await exposed.stop();
    expect(await world.expose().line('error')).toMatchObject({ code: 'EDGE_IDENTITY' });

    await put(doors, stranger);
    world.command.child.kill('SIGHUP');
    await until(async () => (await world.enrol(['--ca', ca])).code === 4, 20_000);
    expect((await world.enrol(['--ca', ca])).lines).toMatchObject([
      { code: 'EDGE_IDENTITY', message: expect.stringContaining('not trusted here') as string },
    ]);
  });
});
