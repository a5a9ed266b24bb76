import { PassThrough } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { maxHeldLines, Output } from '../../../src/cli/output.ts';
import { pairAtTerminal } from '../../../src/cli/pairAtTerminal.ts';
import type { CommandContext } from '../../../src/cli/command.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { TunnelError } from '../../../src/core/errors.ts';
import type { DriverContract, HelperContract, PairAnswer, PendingPairing } from '../../../src/protocol/control.ts';
import { Peer } from '../../../src/protocol/peer.ts';
import { portPair } from '../../../src/protocol/portPair.ts';
import { until } from '../../support/until.ts';
import { capture } from './world.ts';

const pending: PendingPairing = {
  name: 'Claude\u001b[31m',
  redirectHost: 'claude.ai',
  local: false,
  scopes: ['mcp'],
  untilMs: 0,
  triesLeft: 3,
};
const enter = '\r';
const down = '\u001b[B';
const escape = '\u001b';

type World = {
  type: (keys: string) => void;
  out: () => string;
  err: () => string;
  output: Output;
  raw: boolean[];
  answers: PairAnswer[];
  opened: string[];
  helper: Peer<HelperContract, DriverContract>;
  over: AbortController;
  /** The number that is right. */
  asked: () => void;
};

function world({ isTTY = true, json = false } = {}): World {
  const [ours, theirs] = portPair();
  const helper = new Peer<HelperContract, DriverContract>(theirs);
  const peer = new Peer<DriverContract, HelperContract>(ours);
  const answers: PairAnswer[] = [];
  const opened: string[] = [];
  let triesLeft = 3;
  helper.handle('pair/open', ({ tunnel }) => (opened.push(tunnel), { untilMs: 1 }));
  helper.handle('pair/answer', (answer) => {
    answers.push(answer);
    if ('number' in answer && answer.number !== '123456') {
      triesLeft -= 1;
      throw new TunnelError('CONFLICT', triesLeft === 0 ? 'the third wrong number' : 'not it', { data: { triesLeft } });
    }
    return null;
  });
  helper.start();
  const stdin = Object.assign(new PassThrough(), { isTTY, setRawMode: (on: boolean) => void raw.push(on) });
  const raw: boolean[] = [];
  const [out, err] = [capture(), capture()];
  Object.assign(err.stream, { isTTY: true, columns: 100, rows: 40 });
  const output = new Output({ stdout: out.stream, stderr: err.stream, json, colour: { stdout: false, stderr: false } });
  const over = new AbortController();
  onTestFinished(() => {
    over.abort();
    stdin.destroy();
    peer.close();
  });
  pairAtTerminal({ output, stdin, clock: systemClock } as unknown as CommandContext, peer, 't1', over.signal);
  peer.start();
  return {
    type: (keys) => void stdin.write(keys),
    out: out.text,
    err: err.text,
    output,
    raw,
    answers,
    opened,
    helper,
    over,
    asked: () => helper.notify('pair/pending', { tunnel: 't1', pending }),
  };
}

describe('on a terminal', () => {
  it('p opens pairing', async () => {
    const { type, opened, err } = world();
    type('p');
    await until(() => opened.length === 1);
    await until(() => err().includes('five minutes'));
  });

  it('who asks is shown, and gets what was picked for the number that was typed', async () => {
    const { type, err, asked, answers, output, out } = world();
    asked();
    await until(() => err().includes('What may it do?'));
    expect(err()).toContain('claude.ai');
    expect(err()).not.toContain('Claude\u001b[31m');
    output.line('traffic meanwhile');
    expect(out()).not.toContain('traffic meanwhile');
    type(down + enter);
    await until(() => err().includes('For how long?'));
    const before = Date.now();
    type(enter);
    await until(() => err().includes('The number that the browser shows'));
    type(`123456${enter}`);
    await until(() => answers.length === 1);
    expect(answers[0]).toMatchObject({ tunnel: 't1', number: '123456', scope: { readOnly: true } });
    const { expiresMs } = answers[0] as { expiresMs: number };
    expect(expiresMs - before).toBeGreaterThanOrEqual(8 * 3_600_000);
    await until(() => out().includes('traffic meanwhile'));
  });

  it('tools can be named', async () => {
    const { type, err, asked, answers } = world();
    asked();
    await until(() => err().includes('What may it do?'));
    type(down + down + enter);
    await until(() => err().includes('Which tools?'));
    type(`get-* echo${enter}`);
    await until(() => err().includes('For how long?'));
    type(enter);
    await until(() => err().includes('The number'));
    type(`123 456${enter}`);
    await until(() => answers.length === 1);
    expect(answers[0]).toMatchObject({ number: '123 456', scope: { tools: ['get-*', 'echo'] } });
  });

  it('a wrong number is asked again, and the third one ends it', async () => {
    const { type, err, asked, answers } = world();
    asked();
    await until(() => err().includes('What may it do?'));
    type(enter);
    await until(() => err().includes('For how long?'));
    type(enter);
    for (const left of ['browser shows', '(2 more)', '(1 more)']) {
      await until(() => err().includes(left));
      type(`000000${enter}`);
    }
    await until(() => err().includes('the third wrong number'));
    expect(answers).toHaveLength(3);
  });

  it.each([
    ['picked', down + down + down + enter],
    ['by Escape', escape],
    ['by Ctrl-C', '\u0003'],
  ])('no can be said (%s)', async (_how, keys) => {
    const { type, err, asked, answers } = world();
    asked();
    await until(() => err().includes('What may it do?'));
    type(keys);
    await until(() => answers.length === 1);
    expect(answers[0]).toEqual({ tunnel: 't1', deny: true });
  });

  it('what ended meanwhile is no longer asked about', async () => {
    const { type, err, asked, answers, helper, opened } = world();
    asked();
    await until(() => err().includes('What may it do?'));
    helper.notify('pair/ended', { tunnel: 't1', outcome: 'abandoned', name: 'Claude' });
    await until(() => err().includes('its browser has gone'));
    type('p');
    await until(() => opened.length === 1);
    expect(answers).toEqual([]);
  });

  it('Ctrl-C between questions interrupts as it does anywhere', async () => {
    const { type } = world();
    const interrupted = new Promise((settle) => process.once('SIGINT', settle));
    type('\u0003');
    await interrupted;
  });

  it('the terminal is as it was when the tunnel is closed', () => {
    const { over, raw } = world();
    over.abort();
    expect(raw).toEqual([true, false]);
  });
});

it('lines that wait for an answer are bounded, and those that were not kept are counted', () => {
  const { output, out } = world();
  const goOn = output.hold();
  for (let at = 0; at < maxHeldLines + 3; at += 1) output.line(`line ${at}`);
  expect(out()).toBe('');
  goOn();
  expect(out()).toContain(`line ${maxHeldLines - 1}\n… and 3 more lines`);
  expect(out()).not.toContain(`line ${maxHeldLines}\n`);
});

it('without a terminal nothing is asked, and events tell who waits', async () => {
  const { asked, out, err, answers, raw, helper } = world({ isTTY: false, json: true });
  expect(err()).toContain('no terminal');
  asked();
  helper.notify('pair/ended', { tunnel: 't1', outcome: 'closed', name: 'Claude' });
  await until(() => out().includes('pair-ended'));
  const events = out()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as object);
  expect(events).toEqual([
    { event: 'pair-pending', tunnel: 't1', name: pending.name, redirectHost: 'claude.ai', local: false },
    { event: 'pair-ended', tunnel: 't1', outcome: 'closed', name: 'Claude' },
  ]);
  expect([answers, raw]).toEqual([[], []]);
});
