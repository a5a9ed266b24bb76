// An edge that is a process of its own, one tunnel through it, and a good visitor who must be served whatever others do.
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { onTestFinished } from 'vitest';
import type { OpenCarrier, Serve } from '../../src/carriers/carrier.ts';
import { edgeCarrier } from '../../src/carriers/edge.ts';
import type { Authority } from '../../src/certs/authority.ts';
import { systemClock } from '../../src/core/clock.ts';
import type { EdgeIdentity } from '../../src/tunnel/edgeIdentity.ts';
import { callHttp1, type Target } from '../support/agents.ts';
import { anAuthority } from '../support/certs.ts';
import { CommandWorld } from '../support/commandWorld.ts';
import { MemoryProbe, type MemorySample } from '../soak/memory.ts';

export const domain = 'edge.localhost';
const mebibyte = 1 << 20;
const goodBytes = 64 * 1024;

export class AbusedEdge {
  readonly port: number;
  readonly #pid: number;
  readonly #identity: EdgeIdentity;
  readonly #authority: Authority;
  readonly #memory: MemoryProbe;
  readonly #open: OpenCarrier[] = [];

  static async start(): Promise<AbusedEdge> {
    const world = await CommandWorld.make();
    onTestFinished(() => world.close());
    const data = ['--data', 'data', '--json'];
    const memory = new MemoryProbe(world.folder);
    const words = ['edge', 'run', '--domain', domain, '--listen', '127.0.0.1:0', ...data];
    const { child, first } = world.start(words, memory.environment);
    const { edge, pin } = (await first) as { edge: string; pin: string };
    const done = async (...words: string[]): Promise<void> => {
      const { code, err } = await world.run(words);
      if (code !== 0) throw new Error(err);
    };
    await done('allow', 'add', 'edge', edge);
    await done('edge', 'token', '--token-file', 'token.txt', ...data);
    await done('enroll', edge, '--pin', pin, '--token-file', 'token.txt');
    const identity = await readFile(join(world.home, 'edges', `${domain}.json`), 'utf8');
    const port = Number(edge.split(':').at(-1));
    return new AbusedEdge(port, child.pid!, JSON.parse(identity) as EdgeIdentity, await anAuthority(), memory);
  }

  private constructor(port: number, pid: number, identity: EdgeIdentity, authority: Authority, memory: MemoryProbe) {
    this.port = port;
    this.#pid = pid;
    this.#memory = memory;
    this.#identity = identity;
    this.#authority = authority;
    onTestFinished(() => this.closeTunnels());
  }

  /** Serves back what it is sent; `/endless` ends never. */
  async tunnel(label = 'everything-x7k2', links?: number): Promise<Target> {
    const carrier = edgeCarrier({
      identity: async () => this.#identity,
      authority: this.#authority,
      caFile: '/ca.pem',
      clock: systemClock,
      random: Math.random,
      ...(links === undefined ? {} : { links }),
    });
    const quiet = { mayDial: () => {}, log: () => {} };
    const open = await carrier.open(
      { label, instance: `instance-${label}`, portIsFixed: false, serve, ...quiet },
      AbortSignal.timeout(20_000),
    );
    this.#open.push(open);
    return { hostname: open.hostname, port: this.port, ca: this.#authority.certificatePem };
  }

  async closeTunnels(): Promise<void> {
    await Promise.all(this.#open.splice(0).map((open) => open.close()));
  }

  /** Of the edge's process, after garbage was collected: what it holds in its heap and outside of it, and all that is resident. */
  held(): Promise<MemorySample> {
    return this.#memory.sample(this.#pid, 0);
  }

  /** Of the edge's process, in bytes. */
  async resident(): Promise<number> {
    const status = await readFile(`/proc/${this.#pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
  }

  /** Milliseconds of one call on a fresh connection. Throws unless it was answered with its own bytes. */
  async goodVisit(target: Target): Promise<number> {
    const body = randomBytes(goodBytes);
    const beganMs = performance.now();
    const answer = await callHttp1(target, { method: 'POST', path: '/echo', body });
    if (answer.status !== 200 || !answer.body.equals(body)) throw new Error('a good visitor got something else');
    return performance.now() - beganMs;
  }

  /** The middle of `count` visits, one after the other. */
  async goodVisits(target: Target, count: number): Promise<number> {
    const took: number[] = [];
    for (let visit = 0; visit < count; visit += 1) took.push(await this.goodVisit(target));
    return median(took);
  }

  /** What the good visitor sees, and what the edge holds, while `abuse` goes on; printed. */
  async under(name: string, target: Target, abuse: (isOver: () => boolean) => Promise<void>): Promise<AbuseFigures> {
    const usualMs = await this.goodVisits(target, 20);
    const before = await this.resident();
    const took: number[] = [];
    let most = before;
    const over = new AbortController();
    const abused = abuse(() => took.length >= 10).finally(() => over.abort());
    do {
      took.push(await this.goodVisit(target));
      most = Math.max(most, await this.resident());
    } while (!over.signal.aborted);
    await abused;
    const afterMs = await this.goodVisits(target, 20);
    const figures = { visits: took.length, ratio: median(took) / usualMs, grownMib: (most - before) / mebibyte };
    const latency = `${usualMs.toFixed(1)} ms before, ${median(took).toFixed(1)} ms during, ${afterMs.toFixed(1)} ms after`;
    const memory = `edge grew by ${figures.grownMib.toFixed(1)} MiB at most, from ${(before / mebibyte).toFixed(1)}`;
    process.stdout.write(
      `${name}: good visitor ${latency} (${figures.ratio.toFixed(2)}×, ${took.length} visits); ${memory}\n`,
    );
    return figures;
  }
}

export type AbuseFigures = { visits: number; ratio: number; grownMib: number };

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

const block = randomBytes(64 * 1024);

const serve: Serve = (request, response) => {
  if (request.url !== '/endless') return pipeline(request, response as NodeJS.WritableStream, () => {});
  const push = (): void => {
    while (!response.destroyed && (response as NodeJS.WritableStream).write(block));
  };
  response.on('drain', push);
  push();
};
