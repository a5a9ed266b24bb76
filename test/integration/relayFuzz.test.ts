// Chance against the relay: sizes, pauses, protocols and departures drawn from a seed, every body hashed on both ends.
// What is not cut on purpose must arrive whole; what is cut must fail; and the link must outlive all of it.
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ClientHttp2Session } from 'node:http2';
import { expect, it, onTestFinished } from 'vitest';
import type { Serve } from '../../src/carriers/carrier.ts';
import type { Random } from '../../src/core/clock.ts';
import { knownFramings } from '../../src/wire/framings.ts';
import { callHttp1, callHttp2, connectAgent2, type Answer, type Call, type Target } from '../support/agents.ts';
import { bytesOf, hashOf, seeded, someSize } from '../support/chance.ts';
import { CountingClock, expectNothingLeft } from '../support/leaks.ts';
import { aWorld, openTunnel } from '../support/relay.ts';

const seeds = [1, 20260728, 0xbadcafe];
const callsPerSeed = 120;
const callsAtOnce = 12;
const maxBodyBytes = 3 << 20;

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

const runs = knownFramings.flatMap((framing) => seeds.map((seed) => [framing, seed] as const));

it.each(runs)(
  'whatever comes, bodies are whole or refused (%s, seed %i)',
  { timeout: 120_000 },
  async (framing, seed) => {
    const clock = new CountingClock();
    expectNothingLeft(clock);
    const world = await aWorld({ framings: [framing] }, clock);
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
  },
);

async function oneCall(random: Random, target: Target, sessions: ClientHttp2Session[]): Promise<'whole' | 'cut'> {
  const [upSeed, downSeed] = [Math.floor(random() * 1e9), Math.floor(random() * 1e9)];
  const [up, down] = [someSize(random, maxBodyBytes), someSize(random, maxBodyBytes)];
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
