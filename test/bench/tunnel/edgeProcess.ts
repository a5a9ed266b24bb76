// A real `mcp-tunnel edge run` for the benchmark, and a home that is enrolled at it by the real commands.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';

const command = join(process.cwd(), 'dist', 'cli.js');

export type EdgeProcess = { child: ChildProcess; domain: string; port: number; pin: string; data: string };

export type EdgeRunOptions = { data: string; domain: string; port?: number; words?: readonly string[] };

export function runEdge({ data, domain, port = 0, words = [] }: EdgeRunOptions): Promise<EdgeProcess> {
  const run = ['edge', 'run', '--json', '--domain', domain, '--listen', `127.0.0.1:${port}`, '--data', data, ...words];
  const child = spawn(process.execPath, [command, ...run], { env: homeEnv(data), stdio: ['ignore', 'pipe', 'ignore'] });
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the edge ended with ${code}`)));
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const line = text.split('\n').find((one) => one.includes('"ready"'));
      if (line === undefined || !text.includes('\n')) return;
      const { address, pin } = JSON.parse(line) as { address: string; pin: string };
      resolve({ child, domain, port: Number(address.split(':').at(-1)), pin, data });
    });
  });
}

/** `port`: where the home is to dial, which may be a line in front of the edge. */
export function enrolHome(edge: EdgeProcess, home: string, port = edge.port): void {
  const place = `${edge.domain}:${port}`;
  const minted = run(['edge', 'token', '--json', '--data', edge.data], edge.data);
  const { token } = JSON.parse(minted.split('\n')[0] ?? '{}') as { token: string };
  run(['allow', 'add', 'edge', place], home);
  run(['enroll', place, '--pin', edge.pin, '--token-file', '-'], home, token);
}

function run(words: readonly string[], home: string, input = ''): string {
  return execFileSync(process.execPath, [command, ...words], {
    env: homeEnv(home),
    input,
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

const homeEnv = (home: string): NodeJS.ProcessEnv => ({ ...process.env, MCP_TUNNEL_HOME: home, HOME: home });
