// Many sessions that call and call while their server is killed again and again. An agent that is told that it may try
// again does so, as a new call; whatever else goes wrong is counted.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { clearInterval, setInterval } from 'node:timers';
import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { expose } from '../support/exposed.ts';
import type { Ready } from '../support/command.ts';
import { processes } from '../support/processes.ts';
import { connectSdkAgent, type SdkAgent } from '../support/sdkAgent.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { until } from '../support/until.ts';
import { MemoryProbe, type Growth, type MemoryFigures } from './memory.ts';
import { victims, type VictimKind } from './victims.ts';

export type SoakProfile = {
  upstream: VictimKind;
  sessions: number;
  callsPerSession: number;
  /** Sessions that are open at the same time. */
  atOnce: number;
  /** When a server is killed: every so many milliseconds, or after so many answered calls. */
  killEvery: { ms: number } | { calls: number };
};

export type SoakFigures = {
  sessions: number;
  calls: number;
  kills: number;
  /** Calls that ended with an error that says "try again", and were made again. */
  interrupted: number;
  /** Sessions that ended with any other error, or under another id than they began. */
  lost: string[];
  /** Calls that the server did more than once. */
  duplicated: number;
  /** Answered, but never done. */
  unrecorded: number;
  /** Processes of the server that are still there. */
  leaked: number;
  /** Of the tunnel's process, once what it keeps is full. */
  memory: MemoryFigures;
  seconds: number;
};

/** Answered calls from one look at the memory to the next. */
const callsPerSample = 250;

export async function soak(profile: SoakProfile): Promise<SoakFigures> {
  const folder = await temporaryFolder();
  const record = join(folder, 'calls.txt');
  const memory = new MemoryProbe(folder);
  const server = await victims(profile.upstream, record);
  const { command, ready } = await expose(server.words, 'embedded', memory.environment);
  const counts = { answered: 0, kills: 0, interrupted: 0 };
  const answeredCalls: string[] = [];
  const lost: string[] = [];
  const beganMs = performance.now();

  const { killEvery } = profile;
  const kill = async (): Promise<void> => {
    counts.kills += await server.kill(counts.kills);
  };
  const note = async (call: string): Promise<void> => {
    counts.answered += 1;
    answeredCalls.push(call);
    if (counts.answered % callsPerSample === 0) await memory.sample(command.child.pid!, counts.answered);
    if ('calls' in killEvery && counts.answered % killEvery.calls === 0) await kill();
  };
  const timer = 'ms' in killEvery ? setInterval(() => void kill(), killEvery.ms) : undefined;

  let next = 0;
  const worker = async (): Promise<void> => {
    for (let session = next++; session < profile.sessions; session = next++) {
      try {
        counts.interrupted += await useSession(ready, `s${session}`, profile.callsPerSession, note);
      } catch (error) {
        lost.push(`s${session}: ${String(error)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: profile.atOnce }, worker));
  clearInterval(timer);
  await server.settled();

  const recorded = (await readFile(record, 'utf8')).split('\n').filter((line) => line !== '');
  const done = new Set(recorded);
  await command.stop();
  await server.end();
  const running = async (): Promise<number> =>
    (await processes()).filter(({ command: words }) => words.includes(record)).length;
  await until(async () => (await running()) === 0, 5_000).catch(() => {}); // What is left is counted.
  return {
    sessions: profile.sessions,
    calls: counts.answered,
    kills: counts.kills,
    interrupted: counts.interrupted,
    lost,
    duplicated: recorded.length - done.size,
    unrecorded: answeredCalls.filter((call) => !done.has(call)).length,
    leaked: await running(),
    memory: memory.figures(),
    seconds: Math.round((performance.now() - beganMs) / 1000),
  };
}

/** How often its calls were interrupted. Throws when the session is not the same to its end. */
async function useSession(
  ready: Ready,
  name: string,
  calls: number,
  note: (call: string) => Promise<void>,
): Promise<number> {
  const agent = await connected(ready);
  try {
    return await useConnection(agent, name, calls, note);
  } finally {
    await agent.close(); // One that is lost must not stand in the way of the others.
  }
}

async function useConnection(
  { client, transport }: SdkAgent,
  name: string,
  calls: number,
  note: (call: string) => Promise<void>,
): Promise<number> {
  const begunAs = transport.sessionId;
  let interrupted = 0;
  for (let number = 0; number < calls; number += 1) {
    for (let attempt = 0; ; attempt += 1) {
      const call = `${name}.${number}.${attempt}`;
      if (await isAnswered(client, call)) {
        await note(call);
        break;
      }
      interrupted += 1;
    }
  }
  if (transport.sessionId !== begunAs) throw new Error('it ended under another session id than it began');
  await transport.terminateSession();
  return interrupted;
}

/** A server that is killed before it answered `initialize` begins no session; the agent asks again. */
async function connected(ready: Ready): Promise<SdkAgent> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await connectSdkAgent(ready);
    } catch (error) {
      if (attempt === 5 || !String(error).includes('-32011')) throw error;
    }
  }
}

/** False when it was interrupted and may be tried again. */
async function isAnswered(client: Client, call: string): Promise<boolean> {
  try {
    const { content } = await client.callTool({ name: 'record', arguments: { call } });
    if (!JSON.stringify(content).includes(`"${call}"`))
      throw new Error(`${call} was answered ${JSON.stringify(content)}`);
    return true;
  } catch (error) {
    const isTold = (error as { data?: { retryable?: boolean } }).data?.retryable === true;
    // Where the answer was no 200, the SDK's client has its body in the message of the error, as text.
    if (isTold || String(error).includes('"data":{"retryable":true}')) return false;
    throw error;
  }
}

export function report(name: string, figures: SoakFigures): string {
  const { memory, lost, ...counts } = figures;
  const told = ({ fromMiB, toMiB, kibPerCall }: Growth): string =>
    `${fromMiB} → ${toMiB} MiB, ${kibPerCall} KiB for each call`;
  return [
    `${name}: ${JSON.stringify({ ...counts, lost: lost.length })}`,
    `  memory held after warm-up ${told(memory.held)} (${memory.samples} samples after garbage collection)`,
    `  resident ${told(memory.resident)}`,
    ...lost.map((words) => `  lost ${words}`),
  ].join('\n');
}
