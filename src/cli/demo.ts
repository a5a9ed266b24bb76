// `mcp-tunnel demo`: the whole product on this machine in one command. A real server, an embedded edge, a connector,
// the gateway, and a real client that knows only the public URL, the token and the CA file; each message is printed
// as it passes, then three refusals. In a state folder of its own, which is removed at the end.
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TunnelError } from '../core/errors.ts';
import { statePaths } from '../helper/statePaths.ts';
import type { OpenedTunnel } from '../protocol/control.ts';
import type { CommandContext } from './command.ts';
import type { DemoAgentOptions } from './demoAgent.ts';
import { exitCodes } from './exitCodes.ts';
import { MessagePrinter } from './messagePrinter.ts';
import { startOwnHelper, type HelperPeer } from './ownHelper.ts';

export type DemoOptions = { once?: boolean };

/** The agent's side, in a file of its own because it brings the SDK's client along. */
export type DemoAgent = {
  runDemoAgent(options: DemoAgentOptions, said: (line: string) => void): Promise<void>;
  askWithoutToken(options: DemoAgentOptions): Promise<number>;
};

const grantMs = 60 * 60 * 1000;

/** What the demo's own policy file adds: one tool that no agent may call. */
const demoPolicy = {
  version: 1,
  destinations: [{ carrier: 'embedded' }],
  upstreams: [{ stdio: '*' }],
  agents: { '*': { methods: ['*'], tools: ['*'], prompts: ['*'], resources: ['*'], deny: ['get-env'] } },
};

export async function demo(context: CommandContext, options: DemoOptions, agent: DemoAgent): Promise<void> {
  const { output, signal } = context;
  const home = await mkdtemp(join(tmpdir(), 'mcp-tunnel-demo-'));
  const policy = join(home, 'demo-policy.json');
  await writeFile(policy, JSON.stringify(demoPolicy, null, 2));
  const env = { ...context.env, MCP_TUNNEL_HOME: home };
  const own = { ...context, env, folder: home, paths: statePaths(env, process.platform, home) };
  const helper = await startOwnHelper(own, () => {}, { policy });
  try {
    const opened = await openTunnel(helper.peer, home, signal);
    const { tunnel, token = '' } = opened;
    const access: DemoAgentOptions = { url: tunnel.url ?? '', token, caFile: tunnel.caFile ?? '' };
    say(context, 'The server-everything reference server is exposed:', access.url);
    output.event({
      event: 'ready',
      tunnel: tunnel.id,
      url: tunnel.url,
      loopbackUrl: tunnel.loopbackUrl,
      readyMs: opened.readyMs,
    });

    const printer = new MessagePrinter(helper.peer, output);
    await printer.start();
    say(
      context,
      'A client connects through the edge by that name (looked up as 127.0.0.1; TLS name and SNI are real):',
    );
    const steps: string[] = [];
    await agent.runDemoAgent(access, (line) => steps.push(line));
    await printer.catchUp();
    say(context, 'What the client saw:');
    for (const step of steps) report(context, step);

    say(context, 'What is refused:');
    const status = await agent.askWithoutToken(access);
    await printer.catchUp();
    demand(status === 401, `a request without a token got ${status} instead of 401`);
    report(context, 'refused: a request without a token → HTTP 401');
    report(context, `refused: ${await refusedDestination(env, signal)}`);

    if (options.once || !process.stdout.isTTY) return;
    await stayUp(context, opened);
  } finally {
    await helper.stop();
    await rm(home, { recursive: true, force: true });
  }
}

function openTunnel(peer: HelperPeer, cwd: string, signal: AbortSignal): Promise<OpenedTunnel> {
  const transport = { kind: 'stdio', command: process.execPath, args: [serverPath(), 'stdio'], env: {}, cwd } as const;
  return peer.request(
    'tunnel/open',
    {
      server: { inline: { name: 'everything', transport: { ...transport, args: [...transport.args] } } },
      destination: { carrier: 'embedded' },
      grant: { name: 'demo-agent', scope: {}, expiresMs: Date.now() + grantMs },
    },
    signal,
  );
}

function serverPath(): string {
  try {
    return createRequire(__filename).resolve('@modelcontextprotocol/server-everything/dist/index.js');
  } catch (cause) {
    throw new TunnelError(
      'UPSTREAM_START',
      'the demo’s server is not installed: run `npm install @modelcontextprotocol/server-everything` beside mcp-tunnel',
      { cause },
    );
  }
}

/** A second process asks for a destination that no policy file names: exit code 3. */
async function refusedDestination(env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<string> {
  const args = [
    'expose',
    '--carrier',
    'edge',
    '--edge',
    'edge.example.com',
    '--',
    process.execPath,
    serverPath(),
    'stdio',
  ];
  const child = spawn(process.execPath, [join(__dirname, 'cli.js'), ...args], {
    env,
    signal,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let words = '';
  child.stderr.on('data', (chunk: Buffer) => (words = (words + chunk.toString('utf8')).slice(-2_000)));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  demand(
    code === exitCodes.denied,
    `a destination off the allowlist ended with exit code ${code} instead of 3: ${words}`,
  );
  return `a destination that is not on the allowlist → exit code ${code}, “${words.trim().split('\n')[0]}”`;
}

async function stayUp(context: CommandContext, { tunnel, token = '' }: OpenedTunnel): Promise<void> {
  const { output, signal } = context;
  say(context, 'Connect your own client until Ctrl-C:');
  output.line(`  export NODE_EXTRA_CA_CERTS=${tunnel.caFile}`);
  output.line(
    `  claude mcp add --transport http everything ${tunnel.loopbackUrl} --header "Authorization: Bearer ${token}"`,
  );
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

function say({ output }: CommandContext, ...words: string[]): void {
  output.line();
  output.line({ text: words.join(' '), style: 'bold' });
}

function report({ output }: CommandContext, step: string): void {
  output.event({ event: 'step', step });
  output.line({ text: '  ✓ ', style: 'green' }, step);
}

function demand(happened: boolean, otherwise: string): void {
  if (!happened) throw new TunnelError('INTERNAL', otherwise);
}
