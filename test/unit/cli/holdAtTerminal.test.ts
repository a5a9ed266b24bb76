import { PassThrough } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Output } from '../../../src/cli/output.ts';
import { holdAtTerminal } from '../../../src/cli/holdAtTerminal.ts';
import type { CommandContext } from '../../../src/cli/command.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { TunnelError } from '../../../src/core/errors.ts';
import type { Breakpoint, HeldCall, HoldAnswer } from '../../../src/mcp/heldCall.ts';
import type { DriverContract, HelperContract } from '../../../src/protocol/control.ts';
import { Peer } from '../../../src/protocol/peer.ts';
import { portPair } from '../../../src/protocol/portPair.ts';
import { until } from '../../support/until.ts';
import { capture } from './world.ts';

const enter = '\r';
const down = '\u001b[B';

function heldCall(id: string, more: Partial<HeldCall> = {}): HeldCall {
  const times = { sinceMs: 0, untilMs: Date.now() + 55_000 };
  const words = { agent: 'Claude\u001b[31m', tool: 'write_file', arguments: '{"path":"/a"}', isWhole: true };
  return { id, tunnel: 't1', exchange: 'x', rule: 'breakpoint tool write*', ...words, ...times, ...more };
}

async function world({ isTTY = true, isBusy = false, ask = ['write*'] } = {}) {
  const [ours, theirs] = portPair();
  const helper = new Peer<HelperContract, DriverContract>(theirs);
  const peer = new Peer<DriverContract, HelperContract>(ours);
  const answers: { id: string; answer: HoldAnswer }[] = [];
  const told: { breakpoints?: Breakpoint[]; answering: boolean } = { answering: false };
  let held: HeldCall[] = [];
  let refuses: string | undefined;
  const show = (now: HeldCall[]): void => {
    held = now;
    helper.notify('holds/changed', { held, breakpoints: [] });
  };
  helper.handle('holds/answering', () => ((told.answering = true), null));
  helper.handle('holds/breakpoints', ({ breakpoints }) => ((told.breakpoints = breakpoints), null));
  helper.handle('holds/answer', (answer) => {
    answers.push(answer);
    if (refuses !== undefined) {
      const message = refuses;
      refuses = undefined;
      throw new TunnelError('CONFLICT', message);
    }
    show(held.filter(({ id }) => id !== answer.id));
    return null;
  });
  helper.start();
  const stdin = Object.assign(new PassThrough(), { isTTY, setRawMode: () => {} });
  const [out, err] = [capture(), capture()];
  Object.assign(err.stream, { isTTY: true, columns: 100, rows: 40 });
  const output = new Output({
    stdout: out.stream,
    stderr: err.stream,
    json: true,
    colour: { stdout: false, stderr: false },
  });
  const over = new AbortController();
  onTestFinished(() => {
    over.abort();
    stdin.destroy();
    peer.close();
  });
  peer.start();
  const context = { output, stdin, clock: systemClock } as unknown as CommandContext;
  await holdAtTerminal(context, peer, { ask, isBusy, over: over.signal });
  const type = (keys: string): void => void stdin.write(keys);
  return { type, out: out.text, err: err.text, answers, told, show, refuse: (why: string) => (refuses = why) };
}

describe('on a terminal', () => {
  it('a call that waits is shown, and continues with Enter; the next one is asked about then', async () => {
    const { type, err, out, answers, told, show } = await world();
    expect(told).toEqual({ answering: true, breakpoints: [{ tool: 'write*' }] });
    show([heldCall('h1'), heldCall('h2', { tool: 'second' })]);
    await until(() => err().includes('What becomes of it?'));
    expect(err()).toContain('"path": "/a"');
    expect(err()).not.toContain('Claude\u001b[31m');
    expect(err()).not.toContain('second');
    type(enter);
    await until(() => err().includes('second'));
    type(enter);
    await until(() => answers.length === 2);
    expect(answers).toEqual(['h1', 'h2'].map((id) => ({ id, answer: { kind: 'continue' } })));
    expect(out()).toContain('"event":"call-held"');
  });

  it.each([
    ['denied with a message', down + down, 'not now', { kind: 'deny', message: 'not now' }],
    ['answered', down + down + down, 'as if', { kind: 'mock', result: { content: [{ type: 'text', text: 'as if' }] } }],
  ])('it can be %s', async (_how, keys, text, answer) => {
    const { type, err, answers, show } = await world();
    show([heldCall('h1')]);
    await until(() => err().includes('What becomes of it?'));
    type(keys + enter);
    await until(() => /What is the agent told|Text of the answer/.test(err()));
    type(text + enter);
    await until(() => answers.length === 1);
    expect(answers[0]).toEqual({ id: 'h1', answer });
  });

  it('its arguments can be edited, and what cannot be sent is asked again with the reason', async () => {
    const { type, err, answers, show, refuse } = await world();
    refuse('the argument "/path" must be "/b"');
    show([heldCall('h1', { arguments: '{}' })]);
    await until(() => err().includes('What becomes of it?'));
    type(down + enter);
    await until(() => err().includes('Arguments'));
    type(`\u007f"path":1}${enter}`);
    await until(() => err().includes('must be "/b"'));
    expect(answers).toEqual([{ id: 'h1', answer: { kind: 'continue', arguments: { path: 1 } } }]);
    await until(() => err().split('must be "/b"')[1]?.includes('What becomes of it?') === true);
    type('\u001b');
    await until(() => answers.length === 2);
    expect(answers[1]?.answer).toEqual({ kind: 'deny' });
  });

  it('the question ends with a call that waits no longer', async () => {
    const { type, err, answers, show } = await world();
    show([heldCall('h1')]);
    await until(() => err().includes('What becomes of it?'));
    show([]);
    show([heldCall('h2', { tool: 'another' })]);
    await until(() => err().includes('another'));
    type(enter);
    await until(() => answers.length === 1);
    expect(answers[0]?.id).toBe('h2');
  });
});

it.each([
  ['without a terminal', { isTTY: false }],
  ['where the terminal is used for something else', { isBusy: true }],
])('%s nobody says that he can answer, and it is told', async (_how, options) => {
  const { told, err } = await world(options);
  expect(told).toEqual({ answering: false, breakpoints: [{ tool: 'write*' }] });
  expect(err()).toContain('are denied');
});
