// A tunnel through an edge, under load, of which one part after the other is killed: the edge, the connector, one of the
// links between them. Agents may be cut off; nobody may read a wrong byte, and nobody may hang.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { root, runCommand, startCommand, type Ready, type RunningCommand } from '../support/command.ts';
import { Tap } from '../support/tap.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { until } from '../support/until.ts';
import { HashingAgents, type HashFigures } from './hashingAgents.ts';
import { freePort, takesConnections } from './ports.ts';

export const cutKinds = ['edge', 'connector', 'link'] as const;
export type CutKind = (typeof cutKinds)[number];

export type CutsFigures = HashFigures & {
  kills: number;
  /** From the moment at which what was killed runs again (a link: from the cut) to the first answer, in milliseconds. */
  recoveriesMs: number[];
};

const domain = 'cuts.localhost';

/** So many are answered in peace before each kill. */
const callsBetweenKills = 40;

/** Kills one kind `times` times, each time after the tunnel has answered again. */
export async function cutsUnderLoad(kind: CutKind, times: number, atOnce: number): Promise<CutsFigures> {
  const world = await relayWorld();
  const target = { port: world.edgePort, serverName: `mine.${domain}`, token: world.token, ca: world.ca };
  const agents = new HashingAgents([target], atOnce);
  const recoveriesMs: number[] = [];
  for (let kill = 0; kill < times; kill += 1) {
    await agents.more(callsBetweenKills);
    await world.cut[kind]();
    recoveriesMs.push(await agents.recovery());
  }
  return { ...(await agents.stop()), kills: times, recoveriesMs };
}

type RelayWorld = { edgePort: number; token: string; ca: string; cut: Record<CutKind, () => Promise<void>> };

async function relayWorld(): Promise<RelayWorld> {
  const upstream = await startHashServer();
  const [data, home] = [await temporaryFolder(), await temporaryFolder()];
  const startEdge = async (port: number): Promise<{ command: RunningCommand; ready: Record<string, unknown> }> => {
    const words = ['edge', 'run', '--json', '--domain', domain, '--listen', `127.0.0.1:${port}`, '--data', data];
    const command = startCommand(words, { home: data });
    return { command, ready: await command.line('ready') };
  };
  let edge = await startEdge(0);
  const edgePort = Number(String(edge.ready['address']).split(':').at(-1));
  const tap = await Tap.to(edgePort);
  onTestFinished(() => tap.close());
  const place = `${domain}:${tap.port}`;
  await writeFile(join(home, 'policy.json'), policy(place));
  const minted = await runCommand(['edge', 'token', '--json', '--data', data], { home: data });
  const enrol = ['enroll', place, '--json', '--token-file', '-', '--pin', String(edge.ready['pin'])];
  await runCommand(enrol, { home, input: String(minted.lines[0]?.['token']) });

  const startConnector = async (): Promise<{ command: RunningCommand; ready: Ready }> => {
    const words = ['expose', '--json', '--carrier', 'edge', '--edge', place, '--name', 'mine', '--url', upstream];
    const command = startCommand(words, { home });
    return { command, ready: (await command.line('ready')) as unknown as Ready };
  };
  let connector = await startConnector();
  const { token, caFile } = connector.ready;
  return {
    edgePort,
    token,
    ca: await readFile(caFile, 'utf8'),
    cut: {
      edge: async () => {
        await edge.command.stop('SIGKILL');
        edge = await startEdge(edgePort);
      },
      connector: async () => {
        await connector.command.stop('SIGKILL');
        connector = await startConnector();
      },
      link: async () => {
        await until(() => tap.cutOne(), 60_000);
      },
    },
  };
}

export function policy(...places: string[]): string {
  const limits = { requestsPerMinute: 1_000_000, maxConcurrent: 1_000, bytesPerMinute: 2 ** 40 };
  return JSON.stringify({ version: 1, destinations: places.map((host) => ({ carrier: 'edge', host })), limits });
}

export async function startHashServer(): Promise<string> {
  const port = await freePort();
  const server = spawn(process.execPath, [join(root, 'test/fixtures/hashServer.mjs'), `${port}`], { stdio: 'ignore' });
  onTestFinished(async () => {
    const ended = once(server, 'close');
    server.kill('SIGKILL');
    await ended;
  });
  await until(() => takesConnections(port));
  return `http://127.0.0.1:${port}/mcp`;
}
