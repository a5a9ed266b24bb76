// Agents that call without pause and check every byte: each text that they send is hashed by the server, each text that
// comes back is one that they know. What was cut off is asked anew, as another call; what is wrong or stuck is counted.
import { createHash } from 'node:crypto';
import { Agent, request as httpsRequest } from 'node:https';
import { setTimeout as pause } from 'node:timers/promises';
import { seededText } from '../fixtures/seededText.mjs';
import { until } from '../support/until.ts';

export type HashTarget = { port: number; serverName: string; token: string; ca: string };

export type HashFigures = {
  answered: number;
  /** Ended by a cut: an error on the connection or an answer that breaks off, told as such. */
  cut: number;
  /** Answered with a status that says to try again later. */
  turnedAway: number;
  /** Wrong bytes: there may be none. */
  corrupt: string[];
  /** Neither answered nor failed in time. */
  stuck: string[];
};

/** No visitor may hang longer: two missed pings of a link, and what its redial may take. */
export const stuckMs = 60_000;
/** Before a call after one that failed, as agents wait. */
const afterFailureMs = 20;

export class HashingAgents {
  readonly figures: HashFigures = { answered: 0, cut: 0, turnedAway: 0, corrupt: [], stuck: [] };
  readonly #targets: readonly HashTarget[];
  readonly #workers: Promise<void>[];
  readonly #waiting = new Set<{ sinceMs: number; told: (atMs: number) => void }>();
  #stopped = false;
  #calls = 0;

  /** Agents are spread over the targets, which lead to the same server. */
  constructor(targets: readonly HashTarget[], atOnce: number) {
    this.#targets = targets;
    this.#workers = Array.from({ length: atOnce }, (_, worker) => this.#work(worker));
  }

  /** How long from now until a call that begins from now on is answered, in milliseconds. */
  async recovery(): Promise<number> {
    const sinceMs = performance.now();
    const atMs = await new Promise<number>((told) => this.#waiting.add({ sinceMs, told }));
    return atMs - sinceMs;
  }

  /** Until so many calls more were answered. */
  async more(calls: number): Promise<void> {
    const wanted = this.figures.answered + calls;
    await until(() => this.figures.answered >= wanted, 2 * stuckMs);
  }

  /** Ends when every call has ended. */
  async stop(): Promise<HashFigures> {
    this.#stopped = true;
    await Promise.all(this.#workers);
    return this.figures;
  }

  async #work(worker: number): Promise<void> {
    const target = this.#targets[worker % this.#targets.length]!;
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (!this.#stopped) {
      const beganMs = performance.now();
      const isAnswered = await this.#call(target, agent, `${worker}.${(this.#calls += 1)}`);
      if (!isAnswered) await pause(afterFailureMs);
      else this.#tell(beganMs);
    }
    agent.destroy();
  }

  #tell(beganMs: number): void {
    for (const waiting of this.#waiting) {
      if (beganMs < waiting.sinceMs) continue;
      this.#waiting.delete(waiting);
      waiting.told(performance.now());
    }
  }

  async #call(target: HashTarget, agent: Agent, name: string): Promise<boolean> {
    const size = sizes[this.#calls % sizes.length]!;
    const text = seededText(`up ${name}`, size.up);
    const call = { name: 'hash', arguments: { text, seed: `down ${name}`, length: size.down } };
    const body = JSON.stringify({ jsonrpc: '2.0', id: name, method: 'tools/call', params: call });
    const answer = await post(target, agent, body);
    const { figures } = this;
    if (answer.kind === 'cut') figures.cut += 1;
    else if (answer.kind === 'stuck') figures.stuck.push(name);
    else if (answer.status !== 200) figures.turnedAway += 1;
    else if (isRight(answer.text, name, text, size.down)) figures.answered += 1;
    else figures.corrupt.push(`${name}: ${answer.text.slice(0, 200)}`);
    return answer.kind === 'answer' && answer.status === 200;
  }
}

/** Characters both ways; the largest need several windows of a link's acknowledgements. */
const sizes = [
  { up: 10, down: 10 },
  { up: 3000, down: 100_000 },
  { up: 10, down: 2_000_000 },
  { up: 500_000, down: 10 },
  { up: 0, down: 20_000 },
] as const;

function isRight(text: string, name: string, sent: string, length: number): boolean {
  try {
    const { id, result } = JSON.parse(text) as { id: string; result: { content: [{ text: string }] } };
    const { got, body } = JSON.parse(result.content[0].text) as { got: string; body: string };
    const hash = createHash('sha256').update(sent).digest('hex');
    return id === name && got === hash && body === seededText(`down ${name}`, length);
  } catch {
    return false;
  }
}

type Answer = { kind: 'answer'; status: number; text: string } | { kind: 'cut' } | { kind: 'stuck' };

function post({ port, serverName, token, ca }: HashTarget, agent: Agent, body: string): Promise<Answer> {
  const headers = {
    host: `${serverName}:${port}`,
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'content-length': Buffer.byteLength(body),
  };
  return new Promise((resolve) => {
    const place = { host: '127.0.0.1', port, servername: serverName, ca, agent };
    const request = httpsRequest({ ...place, method: 'POST', path: '/mcp', headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', () => {}); // 'close' follows.
      response.once('close', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        settle(response.complete ? { kind: 'answer', status: response.statusCode ?? 0, text } : { kind: 'cut' });
      });
    });
    const deadline = setTimeout(() => {
      settle({ kind: 'stuck' });
      request.destroy();
    }, stuckMs);
    const settle = (answer: Answer): void => {
      clearTimeout(deadline);
      resolve(answer);
    };
    request.once('error', () => settle({ kind: 'cut' }));
    request.end(body);
  });
}
