// `mcp-tunnel expose` as people and scripts use it: the built command, real servers, a real client.
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  everything,
  everythingPath,
  exposeEverything,
  runCommand,
  startCommand,
  type Ready,
} from '../support/command.ts';
import { connectSdkAgent, post } from '../support/sdkAgent.ts';
import { promtoolSays, samplesOf } from '../support/promtool.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { until } from '../support/until.ts';

describe('expose', () => {
  it('says what the contract promises, and a client gets in with just that', async () => {
    const home = await temporaryFolder();
    const { command, ready } = await exposeEverything(home, ['--traffic']);
    expect(command.lines()[0]).toMatchObject({ event: 'ready', server: 'server-everything', privacy: 'end-to-end' });
    expect(ready.hostname).toMatch(/^server-everything-[a-z0-9]{4}\.tunnel\.localhost$/);
    expect(ready.url).toBe(`https://${ready.hostname}:${new URL(ready.loopbackUrl).port}/mcp`);
    expect(ready.token).toMatch(/^mcpt_/);

    for (const url of [ready.url, ready.loopbackUrl, ready.loopbackUrl.replace('127.0.0.1', 'localhost')]) {
      const { client } = await connectSdkAgent({ ...ready, url });
      const answer = await client.callTool({ name: 'echo', arguments: { message: 'hello' } });
      expect(JSON.stringify(answer.content)).toContain('Echo: hello');
    }
    const row = await command.line((line) => line.event === 'exchange' && line['name'] === 'echo');
    expect(row).toMatchObject({ method: 'tools/call', status: 'ok', agent: 'test-agent 1.0.0', tunnel: ready.tunnel });
    expect(command.stdout.split(ready.token)).toHaveLength(2); // Printed once, in `ready`.
    expect(command.stderr).not.toContain(ready.token);
  });

  it('ends with 130 on Ctrl-C and with 0 when told to, and leaves no process behind', async () => {
    const home = await temporaryFolder();
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 0],
    ] as const) {
      const { command, ready } = await exposeEverything(home);
      const { client } = await connectSdkAgent(ready);
      await client.listTools();
      const children = await childrenOf(command.child.pid!);
      expect(children.length).toBeGreaterThan(0);
      expect(await command.stop(signal)).toEqual({ code, signal: null });
      await until(async () => (await Promise.all(children.map(isAlive))).every((alive) => !alive));
    }
  });

  it('lets nobody in with the token of a run that has ended', async () => {
    const home = await temporaryFolder();
    const first = await exposeEverything(home);
    await connectSdkAgent(first.ready);
    await first.command.stop();
    const second = await exposeEverything(home, ['--read-only']);
    expect(second.ready.url).toBe(first.ready.url);
    expect((await post({ ...second.ready, token: first.ready.token }, '{}')).status).toBe(401);
    expect((await post(second.ready, '{}')).status).toBe(400);
  });

  it('keeps hostname and port when it is killed and started again, and leaves no server behind', async () => {
    const home = await temporaryFolder();
    const first = await exposeEverything(home);
    const { client } = await connectSdkAgent(first.ready);
    await client.listTools();
    const children = await childrenOf(first.command.child.pid!);
    await first.command.stop('SIGKILL');
    await until(async () => (await Promise.all(children.map(isAlive))).every((alive) => !alive));

    const second = await exposeEverything(home);
    expect(second.ready.url).toBe(first.ready.url);
    const again = await connectSdkAgent(second.ready);
    expect((await again.client.listTools()).tools.length).toBeGreaterThan(5);
  });

  it('gives a second process that exposes the same server a hostname of its own', async () => {
    const home = await temporaryFolder();
    const [first, second] = await Promise.all([exposeEverything(home), exposeEverything(home)]);
    expect(first.ready.hostname).not.toBe(second.ready.hostname);
    for (const { ready } of [first, second]) {
      const { client } = await connectSdkAgent(ready);
      expect((await client.listTools()).tools.length).toBeGreaterThan(5);
    }
    expect((await post({ ...first.ready, token: second.ready.token }, '{}')).status).toBe(400); // Same server, same grant scope.
  });

  it('says who holds a name that another live tunnel has', async () => {
    const home = await temporaryFolder();
    await exposeEverything(home, ['--name', 'mine']);
    const second = await runCommand(['expose', '--json', '--name', 'mine', '--', ...everything], { home });
    expect(second.code).toBe(2);
    expect(second.lines[0]).toMatchObject({ event: 'error', code: 'CONFLICT' });
    expect(String(second.lines[0]?.['message'])).toContain('mine');
  });

  it('exposes a server of the workspace by name, and only the tools it was told to', async () => {
    const home = await temporaryFolder();
    const folder = await temporaryFolder();
    await mkdir(join(folder, '.vscode'));
    const [command, ...args] = everything;
    const config = `{ // comments are fine\n "servers": { "all": { "command": ${JSON.stringify(command)}, "args": ${JSON.stringify(args)} }, } }`;
    await writeFile(join(folder, '.vscode/mcp.json'), config);
    const running = startCommand(['expose', 'all', '--json', '--tools', 'echo', 'get-s*'], { home, cwd: folder });
    const ready = (await running.line('ready')) as unknown as Ready;
    const { client } = await connectSdkAgent(ready);
    const { tools } = await client.listTools();
    expect(tools.map((tool) => tool.name).toSorted()).toEqual(['echo', 'get-structured-content', 'get-sum']);
    await expect(client.callTool({ name: 'get-env', arguments: {} })).rejects.toMatchObject({ code: -32010 });
    await expect(client.listPrompts()).rejects.toMatchObject({ code: -32010 });
  });

  it('takes what a server’s file asks for from the environment, and says what is missing without a terminal', async () => {
    const home = await temporaryFolder();
    const inputs = [{ type: 'promptString', id: 'which-one', password: true }];
    const args = [everythingPath, '${input:which-one}'];
    await mkdir(join(home, '.vscode'));
    await writeFile(
      join(home, '.vscode', 'mcp.json'),
      JSON.stringify({ inputs, servers: { asking: { command: process.execPath, args } } }),
    );
    const missing = await runCommand(['expose', 'asking', '--json'], { home });
    expect(missing.code).toBe(2);
    expect(missing.lines.at(-1)).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(missing.stderr).toContain('set MCP_TUNNEL_INPUT_WHICH_ONE');
    const env = { MCP_TUNNEL_INPUT_WHICH_ONE: 'stdio' };
    const command = startCommand(['expose', 'asking', '--json'], { home, env });
    const { client } = await connectSdkAgent((await command.line('ready')) as unknown as Ready);
    expect((await client.listTools()).tools.length).toBeGreaterThan(5);
  });

  it('writes the token to a private file instead of printing it', async () => {
    const home = await temporaryFolder();
    const tokenFile = join(home, 'token.txt');
    const { command, ready } = await exposeEverything(home, ['--token-file', tokenFile]);
    const token = (await readFile(tokenFile, 'utf8')).trim();
    expect((await stat(tokenFile)).mode & 0o777).toBe(0o600);
    expect(command.stdout + command.stderr).not.toContain(token);
    const { client } = await connectSdkAgent({ ...ready, token });
    await client.ping();
  });

  it('answers a supervisor: alive at once, ready once an agent was answered', async () => {
    const home = await temporaryFolder();
    const { command, ready } = await exposeEverything(home, ['--health', '127.0.0.1:0']);
    const { port } = (await command.line('health')) as unknown as { port: number };
    const ask = async (page: string) => (await fetch(`http://127.0.0.1:${port}${page}`)).status;
    expect(await ask('/healthz')).toBe(200);
    expect(await ask('/readyz')).toBe(503);
    const { client } = await connectSdkAgent(ready);
    await client.ping();
    await until(async () => (await ask('/readyz')) === 200);
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(await promtoolSays(metrics)).toBe('');
    expect(samplesOf(metrics).get('mcp_tunnel_connector_ready')).toBe(1);
    expect(samplesOf(metrics).get('mcp_tunnel_connector_exchanges_total{status="ok"}')).toBeGreaterThan(0);
    expect(metrics).not.toContain('test-agent');
  });

  it('answers the call that is under way when it is told to end, and does not wait when it is told twice', async () => {
    for (const times of [1, 2]) {
      const home = await temporaryFolder();
      const { command, ready } = await exposeEverything(home, ['--drain', '60s']);
      const { client } = await connectSdkAgent(ready);
      const long = {
        name: 'trigger-long-running-operation',
        arguments: { duration: times === 1 ? 2 : 60, steps: times === 1 ? 4 : 240 },
      };
      let progress = 0;
      const call = client.callTool(long, undefined, { onprogress: () => (progress += 1) });
      const outcome = call.then(
        ({ content }) => JSON.stringify(content),
        () => 'cut off', // The client may notice late.
      );
      await until(() => progress > 0);
      command.child.kill('SIGTERM');
      await command.line('ending');
      if (times === 2) command.child.kill('SIGTERM');
      expect(await command.ended).toEqual({ code: 0, signal: null });
      if (times === 1) expect(await outcome).toMatch(/completed/);
    }
  });
});

describe('what cannot be exposed', () => {
  const failing: [string, readonly string[], number, string, RegExp][] = [
    ['a command that does not exist', ['--', 'no-such-command-here'], 5, 'UPSTREAM_START', /not found/],
    [
      'a command that ends at once',
      ['--', process.execPath, '-e', 'console.error("bad luck"); process.exit(7)'],
      5,
      'UPSTREAM_START',
      /7/,
    ],
    [
      'a command that prints no JSON',
      [
        '--',
        process.execPath,
        '-e',
        'for (let n = 0; n < 2000; n += 1) console.log("welcome"); setInterval(() => {}, 1e6)',
      ],
      5,
      'UPSTREAM_START',
      /welcome/,
    ],
    ['a URL where nothing listens', ['--url', 'http://127.0.0.1:1/mcp'], 5, 'UPSTREAM_UNREACHABLE', /nothing listens/],
    ['a URL off this machine', ['--url', 'http://192.0.2.1/mcp'], 3, 'UPSTREAM_DENIED', /192\.0\.2\.1/],
    [
      'an edge that no policy names',
      ['--carrier', 'edge', '--edge', 'edge.example.com', '--', ...everything],
      3,
      'DESTINATION_DENIED',
      /edge\.example\.com/,
    ],
    ['an unknown carrier', ['--carrier', 'pigeon', '--', ...everything], 2, 'USAGE', /pigeon/],
    ['nothing', [], 2, 'USAGE', /name one server/],
    ['a name that --tools has taken', ['--tools', 'get-*', 'everything'], 2, 'USAGE', /put NAME before it/],
    ['a command without --', ['node', 'server.js'], 2, 'USAGE', /expose -- COMMAND/],
    [
      'a URL without http://',
      ['--url', 'localhost:3000/mcp'],
      2,
      'USAGE',
      /write it like http:\/\/localhost:3000\/mcp/,
    ],
    [
      'with a policy file that is damaged',
      ['--policy', '/dev/zero', '--', ...everything],
      3,
      'POLICY_INVALID',
      /\/dev\/zero is no regular file/,
    ],
    ['a name that is no hostname', ['--name', 'xn--bad', '--', ...everything], 2, 'USAGE', /xn--/],
    ['a server that is not there', ['nobody'], 2, 'NOT_FOUND', /nobody/],
  ];
  it.each(failing)('%s', async (_what, words, exitCode, code, message) => {
    const home = await temporaryFolder();
    const ended = await runCommand(['expose', '--json', ...words], { home });
    expect(ended.lines.at(-1)).toMatchObject({ event: 'error', code, exitCode });
    expect(String(ended.lines.at(-1)?.['message'])).toMatch(message);
    expect(ended.code).toBe(exitCode);
    expect(ended.stderr).not.toMatch(/\n\s+at .*\.js/);
  });

  it('shows the last words of a server that fails', async () => {
    const home = await temporaryFolder();
    const script = 'console.error("the database is gone"); process.exit(7)';
    const ended = await runCommand(['expose', '--', process.execPath, '-e', script], { home });
    expect(ended.code).toBe(5);
    expect(ended.stderr).toContain('the database is gone');
  });

  it('tells what to do when the port is in use', async () => {
    const home = await temporaryFolder();
    const { ready } = await exposeEverything(home);
    const { port } = new URL(ready.loopbackUrl);
    const ended = await runCommand(['expose', '--json', '--port', port, '--', ...everything], { home });
    expect(ended.code).toBe(4);
    expect(ended.lines.at(-1)).toMatchObject({ code: 'PORT_IN_USE' });
    expect(String(ended.lines.at(-1)?.['message'])).toContain(port);
  });

  it('tells what to do when the state folder cannot be written', async () => {
    const home = await temporaryFolder();
    const file = join(home, 'a-file');
    await writeFile(file, '');
    const ended = await runCommand(['expose', '--json', '--', ...everything], { home: join(file, 'state'), cwd: home });
    expect(ended.code).toBe(2);
    expect(ended.lines.at(-1)).toMatchObject({ code: 'STATE_UNWRITABLE' });
  });
});

async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}

async function isAlive(pid: number): Promise<boolean> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    return !/\) [ZX] /.test(text);
  } catch {
    return false;
  }
}
