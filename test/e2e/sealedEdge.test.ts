// An edge as a process of its own, reached by a connector through a wire that somebody taps: neither the wire nor the
// edge's memory holds a token or a tool's name.
import { once } from 'node:events';
import { createReadStream, existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { everything, runCommand, startCommand, type Ready, type RunningCommand } from '../support/command.ts';
import { foundInMemory } from '../support/processMemory.ts';
import { connectSdkAgent, post } from '../support/sdkAgent.ts';
import { Tap } from '../support/tap.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { until } from '../support/until.ts';

const domain = 'sealed.localhost';
const toolName = 'trigger-long-running-operation';
const message = 'a-sentence-that-only-agent-and-server-may-read';

describe('an edge in a process of its own', () => {
  it('relays an agent by hostname without ever holding what it said', async () => {
    const edgeData = await temporaryFolder();
    const edge = await startEdge(edgeData);
    const home = await enrolledHome(edgeData, edge);
    const { command, ready } = await exposeThrough(home, edge);
    expect(ready).toMatchObject({ privacy: 'end-to-end', url: `https://mine.${domain}:${edge.port}/mcp` });

    const { client } = await connectSdkAgent(ready);
    const { tools } = await client.listTools();
    expect(tools.map((tool) => tool.name)).toContain(toolName);
    let progress = 0;
    const slow = { name: toolName, arguments: { duration: 0.4, steps: 4 } };
    await client.callTool(slow, undefined, { onprogress: () => (progress += 1) });
    expect(progress).toBe(4);
    const echo = await client.callTool({ name: 'echo', arguments: { message } });
    expect(JSON.stringify(echo.content)).toContain(message);
    expect((await post({ ...ready, token: 'mcpt_wrong' }, '{}')).status).toBe(401);

    // What the wire carried is plenty, and the hostname is in it: it was really tapped.
    expect(edge.tap.recorded.length).toBeGreaterThan(10_000);
    const secrets = [ready.token, toolName, message];
    expect(found(edge.tap.recorded, [...secrets, 'tools/call', 'Bearer'])).toEqual([]);

    const pid = edge.command.child.pid!;
    expect(await foundInMemory(pid, [`mine.${domain}`])).toEqual([`mine.${domain}`]); // It is the edge's.
    expect(await foundInMemory(command.child.pid!, secrets)).toEqual(secrets); // Where it belongs, the search finds it.
    expect(await foundInMemory(pid, secrets)).toEqual([]);
    const snapshot = await heapSnapshot(edge.command, edgeData);
    expect(await foundInFile(snapshot, [`mine.${domain}`])).toEqual([`mine.${domain}`]);
    expect(await foundInFile(snapshot, secrets)).toEqual([]);
  });

  it('is found again under the same name when it was killed, and when the connector was', async () => {
    const edgeData = await temporaryFolder();
    const edge = await startEdge(edgeData);
    const home = await enrolledHome(edgeData, edge);
    const first = await exposeThrough(home, edge);
    const access = first.ready;
    await connectSdkAgent(access);

    await edge.command.stop('SIGKILL');
    // The loss of each link is told as well, while others are still up.
    const lost = await first.command.line((line) => line.event === 'state' && stateOf(line) === 'waiting');
    const since = first.command.lines().findIndex((line) => JSON.stringify(line) === JSON.stringify(lost));
    const again = startCommand(edgeWords(edgeData, edge.listen), { home: edgeData });
    await again.line('ready');
    const isBack = (): boolean =>
      first.command.lines().some((line, at) => at > since && line.event === 'state' && stateOf(line) === 'connected');
    await until(isBack, 60_000);
    const second = await connectSdkAgent(access);
    expect((await second.client.listTools()).tools.length).toBeGreaterThan(5);

    await first.command.stop('SIGKILL');
    const restarted = await exposeThrough(home, edge);
    expect(restarted.ready.url).toBe(access.url);
    const third = await connectSdkAgent(restarted.ready);
    expect((await third.client.listTools()).tools.length).toBeGreaterThan(5);
  });

  it('does not give a hostname to another machine that is enrolled as well', async () => {
    const edgeData = await temporaryFolder();
    const edge = await startEdge(edgeData);
    await exposeThrough(await enrolledHome(edgeData, edge), edge);
    const other = await enrolledHome(edgeData, edge);
    const words = exposeWords(edge);
    const refused = await runCommand(words, { home: other });
    expect(refused.code).toBe(4);
    expect(refused.lines.at(-1)).toMatchObject({ event: 'error', code: 'ROUTE_DENIED' });
  });

  it('refuses a machine that it does not know, and an edge with another key is refused by the machine', async () => {
    const edgeData = await temporaryFolder();
    const edge = await startEdge(edgeData);
    const home = await temporaryFolder();
    await runCommand(['allow', 'add', 'edge', edge.place], { home });
    const unenrolled = await runCommand(exposeWords(edge), { home });
    expect(unenrolled.code).toBe(4);
    expect(unenrolled.lines.at(-1)).toMatchObject({ code: 'NOT_ENROLLED' });

    const wrongPin = `sha256/${'A'.repeat(43)}=`;
    const token = await mintToken(edgeData);
    const wrong = await runCommand(['enroll', edge.place, '--json', '--token-file', '-', '--pin', wrongPin], {
      home,
      input: token,
    });
    expect(wrong.code).toBe(4);
    expect(wrong.lines.at(-1)).toMatchObject({ code: 'EDGE_IDENTITY' });

    const spent = await runCommand(enrolWords(edge), { home, input: token });
    expect(spent.code).toBe(0);
    const twice = await runCommand(enrolWords(edge), { home, input: token });
    expect(twice.code).toBe(4);
    expect(twice.lines.at(-1)).toMatchObject({ code: 'ENROLMENT_REFUSED' });
  });
});

type RunningEdge = {
  command: RunningCommand;
  tap: Tap;
  /** Port of the tap, which everybody dials. */
  port: number;
  /** Port that the edge itself listens on. */
  listen: number;
  pin: string;
  place: string;
};

function edgeWords(data: string, port: number): string[] {
  return ['edge', 'run', '--json', '--domain', domain, '--listen', `127.0.0.1:${port}`, '--data', data];
}

async function startEdge(data: string): Promise<RunningEdge> {
  const env = { NODE_OPTIONS: `--heapsnapshot-signal=SIGUSR2 --diagnostic-dir=${data}` };
  const command = startCommand(edgeWords(data, 0), { home: data, env });
  const ready = (await command.line('ready')) as unknown as { address: string; pin: string };
  const listen = Number(ready.address.split(':').at(-1));
  const tap = await Tap.to(listen, { record: true });
  onTestFinished(() => tap.close());
  return { command, tap, port: tap.port, listen, pin: ready.pin, place: `${domain}:${tap.port}` };
}

async function mintToken(data: string): Promise<string> {
  const minted = await runCommand(['edge', 'token', '--json', '--data', data], { home: data });
  expect(minted.code).toBe(0);
  return String(minted.lines[0]?.['token']);
}

function enrolWords(edge: RunningEdge): string[] {
  return ['enroll', edge.place, '--json', '--token-file', '-', '--pin', edge.pin];
}

async function enrolledHome(data: string, edge: RunningEdge): Promise<string> {
  const home = await temporaryFolder();
  const allowed = await runCommand(['allow', 'add', 'edge', edge.place, '--json'], { home });
  expect(allowed.code).toBe(0);
  const enrolled = await runCommand(enrolWords(edge), { home, input: await mintToken(data) });
  expect(enrolled.stderr).toBe('');
  expect(enrolled.code).toBe(0);
  return home;
}

function exposeWords(edge: RunningEdge): string[] {
  return ['expose', '--json', '--carrier', 'edge', '--edge', edge.place, '--name', 'mine', '--', ...everything];
}

async function exposeThrough(home: string, edge: RunningEdge): Promise<{ command: RunningCommand; ready: Ready }> {
  const command = startCommand(exposeWords(edge), { home });
  return { command, ready: (await command.line('ready')) as unknown as Ready };
}

function stateOf(line: Record<string, unknown>): string {
  return (line['state'] as { kind: string }).kind;
}

/** Written by Node itself when asked by a signal; complete when the file no longer grows and parses to its end. */
async function heapSnapshot(command: RunningCommand, folder: string): Promise<string> {
  command.child.kill('SIGUSR2');
  let path = '';
  await until(async () => {
    const name = (await readdir(folder)).find((file) => file.endsWith('.heapsnapshot'));
    path = name === undefined ? '' : join(folder, name);
    return existsSync(path) && (await endsWith(path, '}'));
  }, 60_000);
  return path;
}

async function endsWith(path: string, end: string): Promise<boolean> {
  let last = '';
  for await (const chunk of createReadStream(path)) last = (last + (chunk as Buffer).toString('latin1')).slice(-16);
  return last.trimEnd().endsWith(end);
}

function found(bytes: Buffer, needles: readonly string[]): string[] {
  return needles.filter((needle) => bytes.includes(needle));
}

/** A needle is kept in a snapshot as one string; chunks overlap so that none is cut in two. */
async function foundInFile(path: string, needles: readonly string[]): Promise<string[]> {
  const seen = new Set<string>();
  let tail = Buffer.alloc(0);
  const stream = createReadStream(path);
  stream.on('data', (chunk) => {
    const bytes = Buffer.concat([tail, chunk as Buffer]);
    for (const needle of found(bytes, needles)) seen.add(needle);
    tail = bytes.subarray(-512);
  });
  await once(stream, 'end');
  return needles.filter((needle) => seen.has(needle));
}
