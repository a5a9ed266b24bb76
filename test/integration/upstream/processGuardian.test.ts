// Nothing is left behind by a process that was killed with -9 while it ran servers: the claim that cannot be tested
// from inside that process.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ProcessGuardian } from '../../../src/upstream/processGuardian.ts';
import { expectNothingLeft } from '../../support/leaks.ts';
import { fixtureServer, isAlive } from '../../support/stdioWorld.ts';
import { temporaryFolder } from '../../support/temporaryFolder.ts';
import { until } from '../../support/until.ts';

/** Runs as many servers as it is told, in one process that can be killed, and prints their pids. */
const PROGRAM = `
import { StdioUpstream } from '${join(process.cwd(), 'src/upstream/stdioUpstream.ts')}';
const upstream = new StdioUpstream({ command: process.execPath, args: process.argv.slice(3), env: {}, cwd: process.cwd() });
upstream.onEvent((event) => event.kind === 'started' && console.log(event.pid));
const body = Buffer.from('{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}');
const messages = [{ kind: 'request', id: 0, method: 'initialize', params: {} }];
const headers = { 'content-type': 'application/json', accept: '*/*' };
const open = () => upstream.forward({ method: 'POST', headers, body, messages, signal: new AbortController().signal });
Promise.all(Array.from({ length: Number(process.argv[2]) }, open)).then(() => console.log('ready'));
process.stdin.on('data', () => upstream.close().then(() => console.log('closed')));
`;

type Runner = {
  pid: number;
  servers: number[];
  kill: () => void;
  close: () => Promise<void>;
  exited: Promise<unknown>;
};

async function runner(count: number, ...flags: string[]): Promise<Runner> {
  const child = spawn(process.execPath, [await bundled(PROGRAM), String(count), fixtureServer, ...flags], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const exited = once(child, 'exit');
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  await until(() => lines.includes('ready'));
  const servers = lines.map(Number).filter((pid) => pid > 0);
  const close = async (): Promise<void> => {
    child.stdin.write('close\n');
    await until(() => lines.includes('closed'));
  };
  return { pid: child.pid!, servers, kill: () => void process.kill(child.pid!, 'SIGKILL'), close, exited };
}

describe('after kill -9 of the process that runs them', () => {
  it('servers that listen to nobody are ended, however many', async () => {
    const { servers, kill, exited } = await runner(5, '--ignore-close', '--ignore-term');
    expect(servers.filter(isAlive)).toHaveLength(5);
    kill();
    await exited;
    await until(() => !servers.some(isAlive));
  });

  it('what servers started in their process group is ended with them', async () => {
    const { servers, kill, exited } = await runner(1, '--family', '--ignore-close', '--ignore-term');
    const near = await childrenInGroup(servers[0]!);
    expect(near).not.toEqual([]);
    const far = await childrenOf(servers[0]!);
    onTestFinished(() => far.filter(isAlive).forEach((pid) => process.kill(pid, 'SIGKILL'))); // Out of its reach.
    kill();
    await exited;
    await until(() => ![...servers, ...near].some(isAlive));
  });

  it('a server that was ended before is not looked for again', async () => {
    const { servers, close, kill, exited } = await runner(2);
    await close();
    expect(servers.some(isAlive)).toBe(false);
    kill();
    await exited;
  });
});

/** Kills itself with -9 in the breath between the start of a server and the moment anybody was told its pid. */
const SUDDEN_END = `
import { ProcessGuardian } from '${join(process.cwd(), 'src/upstream/processGuardian.ts')}';
import { startServer } from '${join(process.cwd(), 'src/upstream/childProcess.ts')}';
import { systemClock } from '${join(process.cwd(), 'src/core/clock.ts')}';
class Sudden extends ProcessGuardian {
  expect() {
    return { ...super.expect(), started: () => process.kill(process.pid, 'SIGKILL') };
  }
}
const [, , ...args] = process.argv;
startServer({ command: process.execPath, args, env: {}, cwd: process.cwd() }, new Sudden(), systemClock);
`;

describe('after kill -9 at the very start of a server', () => {
  it('before anybody knows its pid, it is ended all the same', async () => {
    const tag = `--tag-${process.pid}-sudden`;
    const file = await bundled(SUDDEN_END);
    const child = spawn(process.execPath, [file, fixtureServer, '--ignore-close', '--ignore-term', tag], {
      stdio: 'ignore',
    });
    await once(child, 'exit');
    await until(async () => (await tagged(tag)).length === 0);
  });

  it('at any moment after it, again and again, nothing stays', async () => {
    const file = await bundled(PROGRAM);
    for (let round = 0; round < 12; round += 1) {
      const tag = `--tag-${process.pid}-${round}-`;
      const child = spawn(process.execPath, [file, '3', fixtureServer, '--ignore-close', '--ignore-term', tag], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      const exited = once(child, 'exit');
      // From "no server yet" to "all of them have answered".
      await until(async () => (await tagged(tag)).length > round % 4);
      child.kill('SIGKILL');
      await exited;
      await until(async () => (await tagged(tag)).length === 0);
    }
  });
});

describe('ProcessGuardian', () => {
  it('starts nothing until there is something to guard, and is gone after close', async () => {
    expectNothingLeft();
    const guardian = new ProcessGuardian();
    await guardian.close();
    expect(guardian.watch(1)).toBeTypeOf('function');
  });

  it('ends what is still guarded when it is closed, and nothing that was let go', async () => {
    expectNothingLeft();
    const guardian = new ProcessGuardian();
    const [kept, guarded] = [sleeper(), sleeper()];
    const release = guardian.watch(kept.pid!);
    guardian.watch(guarded.pid!);
    release();
    await guardian.close();
    await until(() => !isAlive(guarded.pid!));
    expect(isAlive(kept.pid!)).toBe(true);
    kept.kill('SIGKILL');
    await once(kept, 'exit');
  });

  it('guards again, and the old ones too, after somebody killed it', async () => {
    expectNothingLeft();
    const guardian = new ProcessGuardian();
    const [first, second] = [sleeper(), sleeper()];
    guardian.watch(first.pid!);
    const shells = await guardians(process.pid);
    expect(shells).toHaveLength(1);
    process.kill(shells[0]!, 'SIGKILL');
    await until(async () => (await guardians(process.pid)).length === 0);
    await new Promise((resolve) => setImmediate(resolve));
    guardian.watch(second.pid!);
    await guardian.close();
    await until(() => ![first.pid!, second.pid!].some(isAlive));
  });
});

function sleeper(): ReturnType<typeof spawn> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true, stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

async function bundled(contents: string): Promise<string> {
  const file = join(await temporaryFolder(), 'runner.cjs');
  const stdin = { contents, loader: 'ts' as const, resolveDir: process.cwd() };
  await build({ stdin, bundle: true, platform: 'node', format: 'cjs', outfile: file, logLevel: 'error' });
  return file;
}

/** Every process that has `tag` among its arguments. */
async function tagged(tag: string): Promise<number[]> {
  return (await processes()).filter(({ command }) => command.includes(tag)).map(({ pid }) => pid);
}

async function childrenInGroup(leader: number): Promise<number[]> {
  const table = await processes();
  return table.filter(({ pid, group }) => group === leader && pid !== leader).map(({ pid }) => pid);
}

async function childrenOf(parent: number): Promise<number[]> {
  const table = await processes();
  return table.filter((entry) => entry.parent === parent).map(({ pid }) => pid);
}

async function guardians(parent: number): Promise<number[]> {
  const table = await processes();
  return table.filter((entry) => entry.parent === parent && entry.command.includes('trap')).map(({ pid }) => pid);
}

async function processes(): Promise<{ pid: number; parent: number; group: number; command: string }[]> {
  const ps = spawn('ps', ['-axww', '-o', 'pid=,ppid=,pgid=,stat=,args='], { stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  for await (const chunk of ps.stdout) text += String(chunk);
  return [...text.matchAll(/^\s*(\d+)\s+(\d+)\s+(\d+)\s+([^Z\s]\S*)\s+(.*)$/gm)].map(
    ([, pid, parent, group, , command]) => ({
      pid: Number(pid),
      parent: Number(parent),
      group: Number(group),
      command: command ?? '',
    }),
  );
}
