// Chance against a link, whatever frames it: both framings meet the same sizes, pauses, aborts, half-closes and late
// readers, and the same oracle. What was not cut on purpose arrives whole, in both directions; no stream gets stuck;
// and when all are over nothing is left.
import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { expect, it, onTestFinished } from 'vitest';
import type { Framing } from '../../src/protocol/edge.ts';
import { knownFramings } from '../../src/wire/framings.ts';
import type { VisitorStream } from '../../src/wire/link.ts';
import { bytesOf, hashOf, seeded, someSize } from '../support/chance.ts';
import { CountingClock, expectNothingLeft } from '../support/leaks.ts';
import { linkPair } from '../support/linkPair.ts';
import { until } from '../support/until.ts';

const seeds = [7, 20250326, 0xfeedface];
const visitors = 300;

/**
 * Node 20's HTTP/2 reads nothing while a write of its own is under way: two ends that both have more to send than the
 * kernel takes wait for each other for ever. With so much at once that comes up now and then; our own framing must do it.
 */
const loads: Record<Framing, { atOnce: number; maxBytes: number }> = {
  frames: { atOnce: 30, maxBytes: 2 << 20 },
  http2: { atOnce: 8, maxBytes: 128 << 10 },
};

type Plan = {
  up: { seed: number; bytes: number };
  down: { seed: number; bytes: number };
  /** `leaves`: the visitor ends in the middle. `cuts`: the connector breaks off. `late`: is read once the others are done. */
  fate: 'whole' | 'leaves' | 'cuts' | 'late';
  /** Where, in bytes of its own direction. */
  at: number;
  /** The one who sends writes single bytes. */
  inBytes: boolean;
};

function plan(random: () => number, maxBytes: number): Plan {
  const inBytes = random() < 0.1;
  const most = inBytes ? 300 : maxBytes;
  const [up, down] = [0, 0].map(() => ({
    seed: Math.floor(random() * 1e9),
    bytes: Math.min(most, someSize(random, most)),
  })) as [Plan['up'], Plan['down']];
  const draw = random();
  const fate = draw < 0.15 ? 'leaves' : draw < 0.3 ? 'cuts' : draw < 0.4 ? 'late' : 'whole';
  return { up, down, fate, at: Math.floor(random() * (fate === 'leaves' ? up.bytes : down.bytes)), inBytes };
}

/** Writes no faster than the stream takes; returns the hash of what was written, which is all or up to `until`. */
async function send(
  stream: Duplex,
  { up: from, inBytes }: Pick<Plan, 'up' | 'inBytes'>,
  most = Infinity,
): Promise<string> {
  const hash = createHash('sha256');
  let sent = 0;
  for await (const piece of bytesOf(from.seed, from.bytes)) {
    for (const part of inBytes ? [...piece].map((byte) => Buffer.of(byte)) : [piece]) {
      if (sent + part.length > most || stream.destroyed) return hash.digest('hex');
      hash.update(part);
      sent += part.length;
      if (!stream.write(part)) await drained(stream);
    }
  }
  return hash.digest('hex');
}

function drained(stream: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done).off('close', done);
      resolve();
    };
    stream.once('drain', done).once('close', done);
  });
}

type Received = { hash: string; ended: boolean };

/** Until it is closed. */
function receive(stream: Duplex): Promise<Received> {
  const hash = createHash('sha256');
  let ended = false;
  stream.on('data', (chunk: Buffer) => hash.update(chunk)).on('end', () => (ended = true));
  return new Promise((resolve) => {
    const finish = (): void => resolve({ hash: hash.digest('hex'), ended });
    if (stream.closed) finish();
    else stream.once('close', finish);
  });
}

const runs = knownFramings.flatMap((framing) => seeds.map((seed) => [framing, seed] as const));

it.each(runs)('what is not cut arrives whole (%s, seed %i)', { timeout: 120_000 }, async (framing, seed) => {
  const clock = new CountingClock();
  expectNothingLeft(clock);
  const random = seeded(seed);
  const { atOnce, maxBytes } = loads[framing];
  const plans = Array.from({ length: visitors }, () => plan(random, maxBytes));
  const atConnector: Promise<Received & { sent: string }>[] = [];
  const { edge, connector } = await linkPair(framing, clock, ({ stream, hostname }) => {
    const index = Number(hostname.split('.')[0]);
    atConnector[index] = serve(stream, plans[index]!);
  });
  onTestFinished(async () => {
    await Promise.all([edge.close(), connector.close()]);
  });

  let othersDone = (): void => {};
  const others = new Promise<void>((resolve) => (othersDone = resolve));
  const visit = async (index: number): Promise<void> => {
    const mine = plans[index]!;
    const stream: VisitorStream = edge.openStream({ hostname: `${index}.edge.test`, visitor: '192.0.2.1:5555' });
    const received = receive(stream);
    if (mine.fate === 'late') {
      stream.pause();
      void others.then(() => stream.resume());
    }
    const sent = await send(stream, mine, mine.fate === 'leaves' ? mine.at : Infinity);
    stream.end();
    const { hash, ended } = await received;
    const there = await atConnector[index]!;
    if (mine.fate === 'cuts') return expect([index, ended && stream.rstCode === 0]).toEqual([index, false]);
    expect([index, mine.fate, stream.rstCode, ended, there.ended]).toEqual([index, mine.fate, 0, true, true]);
    expect([index, hash]).toEqual([index, there.sent]);
    expect([index, there.hash]).toEqual([index, sent]);
    if (mine.fate === 'leaves') return;
    expect(hash).toBe(await hashOf(bytesOf(mine.down.seed, mine.down.bytes)));
    expect(sent).toBe(await hashOf(bytesOf(mine.up.seed, mine.up.bytes)));
  };

  const late: Promise<void>[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < visitors; index = next++) {
      if (plans[index]!.fate === 'late') late.push(visit(index));
      else await visit(index);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  othersDone();
  await Promise.all(late);
  expect(late.length).toBeGreaterThan(0);
  await until(() => edge.streams === 0 && connector.streams === 0);
  expect(edge.closed).toBe(false);
});

async function serve(stream: Duplex, { down, fate, at, inBytes }: Plan): Promise<Received & { sent: string }> {
  const received = receive(stream);
  const sent = await send(stream, { up: down, inBytes }, fate === 'cuts' ? at : Infinity);
  if (fate === 'cuts') stream.destroy(new Error('cut on purpose'));
  else stream.end();
  return { ...(await received), sent };
}
