// Chance against the relay: sizes, pauses, protocols and departures drawn from a seed, every body hashed on both ends.
// What is not cut on purpose must arrive whole; what is cut must fail; and the link must outlive all of it.
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises';
import type { ClientHttp2Session } from 'node:http2';
import { expect, it, onTestFinished } from 'vitest';
import type { Serve } from '../../src/carriers/carrier.ts';
import type { Random } from '../../src/core/clock.ts';
import { callHttp1, callHttp2, connectAgent2, type Answer, type Call, type Target } from '../support/agents.ts';
import { CountingClock, expectNothingLeft } from '../support/leaks.ts';
import { aWorld, openTunnel } from '../support/relay.ts';

const seeds = [1, 20260728, 0xbadcafe];
const callsPerSeed = 120;
const callsAtOnce = 12;
const maxBodyBytes = 3 << 20;

/** mulberry32 */
function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Mostly small, sometimes around the sizes of frames and windows, sometimes large. */
function size(random: Random): number {
  const kind = random();
  if (kind < 0.1) return 0;
  if (kind < 0.5) return Math.floor(random() * 2000);
  if (kind < 0.7) return 16_384 + Math.floor(random() * 5) - 2;
  if (kind < 0.9) return 65_535 + Math.floor(random() * 5) - 2;
  return Math.floor(random() * maxBodyBytes);
}

/** The bytes that a seed stands for, in pieces of any size with pauses between; `cutAt` ends it with an error. */
async function* bytesOf(seed: number, length: number, cutAt = Infinity): AsyncGenerator<Buffer> {
  const random = seeded(seed);
  for (let at = 0; at < length;) {
    const piece = Buffer.alloc(Math.min(length - at, 1 + Math.floor(random() * (random() < 0.8 ? 70_000 : 100))));
    piece.fill(Math.floor(random() * 256));
    if (at + piece.length > cutAt) throw new Error('cut on purpose');
    yield piece;
    at += piece.length;
    if (random() < 0.1) await pause(random() * 4);
    else if (random() < 0.3) await turn();
  }
}

async function hashOf(bytes: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of bytes) hash.update(piece);
  return hash.digest('hex');
}

/** Answers with the hash of what came, and with the bytes of the seed it was asked for. */
const server: Serve = (request, response) => {
  const url = new URL(request.url ?? '', 'https://x');
  const [seed, length, cutAt] = ['seed', 'length', 'cut'].map((name) => Number(url.searchParams.get(name)));
  const answer = async (): Promise<void> => {
    const early = url.searchParams.has('early');
    const hash = early ? '' : await hashOf(request as AsyncIterable<Buffer>);
    if (early) request.resume();
    response.writeHead(200, { 'x-hash': hash });
    await pipeline(bytesOf(seed ?? 0, length ?? 0, cutAt || Infinity), response as NodeJS.WritableStream);
  };
  answer().catch((error: Error) => response.destroy(error)); // One of the two left in the middle of its body.
};

it.each(seeds)('whatever comes, bodies are whole or refused (seed %i)', { timeout: 120_000 }, async (seed) => {
  const clock = new CountingClock();
  expectNothingLeft(clock);
  const world = await aWorld({}, clock);
  const open = await openTunnel(world, server);
  const states: string[] = [];
  open.onState((state) => void states.push(state.kind));
  const target = { hostname: open.hostname, port: world.edge.port, ca: world.authority.certificatePem };
  const sessions = Array.from({ length: 3 }, () => connectAgent2(target));
  onTestFinished(() => {
    for (const session of sessions) session.destroy();
  });

  const random = seeded(seed);
  const outcomes = { whole: 0, cut: 0 };
  const worker = async (): Promise<void> => {
    for (let call = 0; call < callsPerSeed / callsAtOnce; call += 1)
      outcomes[await oneCall(random, target, sessions)] += 1;
  };
  await Promise.all(Array.from({ length: callsAtOnce }, worker));

  expect(outcomes.whole + outcomes.cut).toBe(callsPerSeed);
  expect(outcomes.whole).toBeGreaterThan(callsPerSeed / 3);
  expect(outcomes.cut).toBeGreaterThan(0);
  expect(states).toEqual([]);
  expect((await callHttp1(target, { path: '/?seed=1&length=5' })).body).toHaveLength(5);
});

async function oneCall(random: Random, target: Target, sessions: ClientHttp2Session[]): Promise<'whole' | 'cut'> {
  const [upSeed, downSeed] = [Math.floor(random() * 1e9), Math.floor(random() * 1e9)];
  const [up, down] = [size(random), size(random)];
  const fate = random();
  const leaves = fate < 0.12 ? Math.floor(random() * up) : Infinity; // The agent stops in the middle of its body.
  const serverCuts = fate >= 0.12 && fate < 0.24 && down > 0 ? Math.floor(random() * down) + 1 : 0;
  const early = random() < 0.1;
  const call: Call = {
    method: 'POST',
    path: `/?seed=${downSeed}&length=${down}&cut=${serverCuts}${early ? '&early' : ''}`,
    body: Readable.from(bytesOf(upSeed, up, leaves)),
  };
  const session = sessions[Math.floor(random() * sessions.length)];
  let answer: Answer;
  try {
    answer = await (session && random() < 0.5 ? callHttp2(session, call) : callHttp1(target, call));
  } catch (error) {
    if (leaves < up || serverCuts > 0) return 'cut';
    throw error;
  }
  const hash = createHash('sha256').update(answer.body).digest('hex');
  expect(hash).toBe(await hashOf(bytesOf(downSeed, down)));
  if (!early) expect(answer.headers['x-hash']).toBe(await hashOf(bytesOf(upSeed, up)));
  return 'whole';
}
