import { appendFile, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connectControl, findHelpers } from '../../src/helper/controlSocket.ts';
import { statePaths } from '../../src/helper/statePaths.ts';
import {
  controlVersion,
  type AuditHead,
  type DriverContract,
  type HelperContract,
} from '../../src/protocol/control.ts';
import { everything, exposeEverything, runCommand, startCommand, type Ready } from '../support/command.ts';
import { connectSdkAgent } from '../support/sdkAgent.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { until } from '../support/until.ts';

type Shown = { chain: string; record: { kind: string; name?: string; [field: string]: unknown } };

async function connect(ready: Ready): Promise<Awaited<ReturnType<typeof connectSdkAgent>>['client']> {
  const { client } = await connectSdkAgent({ url: ready.loopbackUrl, token: ready.token, caFile: ready.caFile });
  onTestFinished(() => client.close().catch(() => {}));
  return client;
}

const echo = (message: string) => ({ name: 'echo', arguments: { message } });

async function verify(home: string, ...more: string[]): ReturnType<typeof runCommand> {
  return runCommand(['audit', 'verify', '--json', ...more], { home });
}

async function shown(home: string): Promise<Shown[]> {
  const { lines } = await runCommand(['audit', 'show', '--json'], { home });
  return lines as unknown as Shown[];
}

/** What a driver of the running helper is told to keep. */
async function askHead(home: string): Promise<AuditHead> {
  const [socket = ''] = await findHelpers(statePaths({ MCP_TUNNEL_HOME: home }, process.platform, home));
  const peer = (await connectControl<DriverContract, HelperContract>(socket)).start();
  try {
    await peer.request('hello', { version: controlVersion, trusted: false, folders: [] });
    const { head } = await peer.request('audit/head', {});
    if (!head) throw new Error('the log is empty');
    return head;
  } finally {
    peer.close();
  }
}

async function lastSegment(home: string): Promise<string> {
  const [chain = ''] = (await readdir(join(home, 'audit'))).filter((name) => !name.endsWith('.lock'));
  const [segment = ''] = (await readdir(join(home, 'audit', chain))).toSorted().toReversed();
  return join(home, 'audit', chain, segment);
}

describe('mcp-tunnel audit', () => {
  it('tells of everything that happened around a call, and of the call before its outcome', async () => {
    const home = await temporaryFolder();
    const { command, ready } = await exposeEverything(home, ['--tools', 'echo']);
    const client = await connect(ready);
    await client.callTool(echo('a-secret-message'));
    await expect(client.callTool({ name: 'get-env' })).rejects.toThrow();
    await runCommand(['agents', 'add', 'second'], { home });
    const stranger = connectSdkAgent({ url: ready.loopbackUrl, token: 'mcpt_wrong', caFile: ready.caFile });
    await expect(stranger).rejects.toThrow();
    await command.stop();

    const records = (await shown(home)).map(({ record }) => record);
    const kinds = records.map(({ kind, event }) => (typeof event === 'string' ? `${kind} ${event}` : kind));
    expect(kinds.slice(0, 3)).toEqual(['started', 'tunnel opened', 'grant added']);
    expect(kinds.filter((kind) => kind === 'grant added')).toHaveLength(2);
    expect(kinds.slice(-2)).toEqual(['tunnel closed', 'sealed']);
    expect(records.filter(({ kind }) => kind === 'refused')).toMatchObject([{ why: 'malformed', carrier: 'embedded' }]);
    const calls = records.filter(({ kind, method }) => kind === 'call' && method === 'tools/call');
    expect(calls).toMatchObject([
      { name: 'echo', decision: 'allow', carrier: 'embedded', visitor: expect.stringMatching(/^127\.0\.0\.1\b/) },
      { name: 'get-env', decision: 'deny' },
    ]);
    expect(calls[0]?.['argumentsDigest']).toMatch(/^\w{64}$/);
    const at = records.findIndex((record) => record['name'] === 'echo');
    const outcome = records.findIndex(
      ({ kind, exchange }) => kind === 'outcome' && exchange === records[at]?.['exchange'],
    );
    expect(outcome).toBeGreaterThan(at);
    expect(records[outcome]).toMatchObject({ status: 'ok', httpStatus: 200, latencyMs: expect.any(Number) as number });
    const everythingWritten = JSON.stringify(records);
    for (const secret of ['a-secret-message', ready.token]) expect(everythingWritten).not.toContain(secret);
    expect(await verify(home)).toMatchObject({ code: 0 });
  });

  it('survives kill -9 in the middle of calls, and the next helper puts right what was left', async () => {
    const home = await temporaryFolder();
    const { command, ready } = await exposeEverything(home);
    const client = await connect(ready);
    for (let call = 0; call < 20; call += 1) await client.callTool(echo(String(call)));
    const head = await askHead(home);
    const ongoing = Promise.allSettled(Array.from({ length: 50 }, (_, call) => client.callTool(echo(`late ${call}`))));
    await until(async () => (await askHead(home)).count > head.count);
    await command.stop('SIGKILL');
    await client.close();
    await ongoing;

    const kept = ['--helper', head.chain, '--head', `${head.count}:${head.hash}`, '--key', head.key];
    const left = await verify(home, ...kept);
    expect(left).toMatchObject({ code: 0, lines: [{ state: 'unfinished', headChecked: true }, { event: 'verified' }] });
    await truncate(await lastSegment(home), (await stat(await lastSegment(home))).size - 5);

    const { command: next, ready: again } = await exposeEverything(home);
    expect(again.hostname).toBe(ready.hostname);
    expect(await verify(home)).toMatchObject({ code: 0, lines: [{ chain: head.chain, state: 'in use' }, {}] });
    await next.stop();
    const { code, lines } = await verify(home, ...kept);
    const one = [expect.any(Number)];
    expect([code, lines[0]]).toMatchObject([0, { state: 'closed', repaired: one, recovered: one }]);
  });

  it('names what was edited with exit code 3, and a cut end when the head was kept', async () => {
    const home = await temporaryFolder();
    const { command, ready } = await exposeEverything(home);
    const client = await connect(ready);
    await client.callTool(echo('one'));
    await client.close();
    const head = await askHead(home);
    await command.stop();

    const path = await lastSegment(home);
    const text = await readFile(path, 'utf8');
    const lines = text.split('\n').slice(0, -1);
    const at = lines.findIndex((line) => line.includes('"name":"echo"'));
    await writeFile(path, text.replace('"name":"echo"', '"name":"sum"'));
    const edited = await verify(home);
    expect(edited).toMatchObject({ code: 3, lines: [{ verdict: 'broken', line: at + 1 }, { code: 'AUDIT_BROKEN' }] });
    expect(edited.stderr).toContain(`${path}: line ${at + 1} was changed`);
    expect(edited.stderr).not.toMatch(/\n {4}at /);

    await writeFile(path, `${lines.slice(0, 3).join('\n')}\n`);
    expect(await verify(home)).toMatchObject({ code: 0 });
    const cut = await verify(home, '--helper', head.chain, '--head', `${head.count}:${head.hash}`);
    expect(cut).toMatchObject({ code: 3, lines: [{ what: 'cut', line: 4 }, {}] });
  });

  it('helpers side by side write chains of their own, which miss each other', async () => {
    const home = await temporaryFolder();
    const [one, two] = await Promise.all([exposeEverything(home), exposeEverything(home)]);
    await Promise.all([one.command.stop(), two.command.stop()]);
    const { code, lines } = await verify(home);
    expect([code, lines.length]).toEqual([0, 3]);
    const { command } = await exposeEverything(home);
    await command.stop();
    const chains = (await readdir(join(home, 'audit'))).toSorted();
    expect(chains).toHaveLength(2);
    const started = (await shown(home)).filter(({ record }) => record.kind === 'started');
    const gone = chains.find((chain) => chain !== started.at(-1)?.chain) ?? '';
    await rm(join(home, 'audit', gone), { recursive: true });
    const missing = await verify(home);
    expect([missing.code, missing.stderr]).toEqual([3, expect.stringContaining(`the chain ${gone} was removed`)]);
  });

  it('shows what happens while it happens', async () => {
    const home = await temporaryFolder();
    const follower = startCommand(['audit', 'show', '--follow', '--json'], { home });
    const { command } = await exposeEverything(home);
    await follower.line(({ record }) => (record as { kind: string }).kind === 'tunnel');
    await command.stop();
    await follower.line(({ record }) => (record as { kind: string }).kind === 'sealed');
    expect(await follower.stop('SIGINT')).toMatchObject({ code: 130 });
  });

  it('opens no tunnel whose calls could not be recorded, and says why', async () => {
    const home = await temporaryFolder();
    const { command } = await exposeEverything(home);
    await command.stop();
    const path = await lastSegment(home);
    await rm(path);
    await symlink('/dev/full', path);
    const refused = await runCommand(['expose', '--json', '--', ...everything], { home });
    expect(refused).toMatchObject({ code: 2, lines: [{ event: 'error', code: 'STATE_UNWRITABLE' }] });
    expect(refused.stderr).toContain('the disk is full');
  });

  it('exports what another system can read', async () => {
    const home = await temporaryFolder();
    const { command } = await exposeEverything(home);
    await command.stop();
    await appendFile(await lastSegment(home), 'not a record\n');
    const { code, stdout, stderr } = await runCommand(['audit', 'export'], { home });
    const lines = stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as object);
    expect([code, lines.at(-1)]).toMatchObject([0, { event: 'record', text: 'not a record' }]);
    expect(lines[1]).toMatchObject({ event: 'chain', verdict: 'broken' });
    expect(stderr).toContain('warning');
  });
});
