import { expect, it, onTestFinished, vi } from 'vitest';
import { TunnelError } from '../../../src/core/errors.ts';
import { HelperLink, unfitRuntimeExitCode, type Runtime } from '../../../src/extension/helperLink.ts';
import { restartDelaysMs } from '../../../src/extension/restartBudget.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { fakeHelper, type Answers, type FakeHelper } from './fakeHelper.ts';
import { tunnel } from './samples.ts';

type World = { link: HelperLink; helpers: FakeHelper[]; states: string[]; clock: FakeClock };

/** `answersOf` gives what the n-th helper answers; a number makes it exit with that before it greets. */
function world(answersOf: (start: number, runtime: Runtime) => Answers | number = () => ({})): World {
  const helpers: FakeHelper[] = [];
  const clock = new FakeClock();
  const link = new HelperLink({
    spawn(runtime) {
      const answers = answersOf(helpers.length, runtime);
      const helper = fakeHelper(runtime, typeof answers === 'number' ? {} : answers);
      helpers.push(helper);
      if (typeof answers === 'number') helper.exit(answers);
      return helper.child;
    },
    window: () => ({ trusted: true, folders: ['/work'] }),
    clock,
    log: () => {},
  });
  const states: string[] = [];
  link.onEvent((event) => event.kind === 'helper' && states.push(event.state.kind));
  onTestFinished(() => link.close());
  return { link, helpers, states, clock };
}

it('starts the helper with the first request, and only one of it', async () => {
  const { link, helpers, states } = world();
  expect(link.running).toBe(false);
  await Promise.all([link.request('servers/list', { folders: [] }), link.request('tunnel/list', {})]);
  expect(helpers).toHaveLength(1);
  expect(helpers[0]?.asked).toEqual(['hello', 'servers/list', 'tunnel/list']);
  expect(states).toEqual(['starting', 'running']);
});

it('starts it again after a crash, and a request that comes meanwhile waits for it', async () => {
  const { link, helpers, states, clock } = world();
  await link.request('tunnel/list', {});
  let starts = 0;
  link.onStarted(() => (starts += 1));

  helpers[0]?.exit(1);
  await vi.waitFor(() => expect(states.at(-1)).toBe('restarting'));
  const waiting = link.request('tunnel/list', {});
  expect(helpers).toHaveLength(1);
  clock.advance(restartDelaysMs[0]! - 1);
  expect(helpers).toHaveLength(1);
  clock.advance(1);

  await expect(waiting).resolves.toEqual({ tunnels: [] });
  expect(helpers).toHaveLength(2);
  expect(starts).toBe(1);
});

it('gives up after three restarts, says so, and starts anew when a person asks', async () => {
  let healthy = false;
  const { link, helpers, states, clock } = world(() => (healthy ? {} : 1));
  await expect(link.request('tunnel/list', {})).rejects.toThrow('ended while it was starting');
  for (const [index, ms] of restartDelaysMs.entries()) {
    await vi.waitFor(() => expect(states.at(-1)).toBe('restarting'));
    clock.advance(ms);
    await vi.waitFor(() => expect(helpers).toHaveLength(index + 2));
  }
  await vi.waitFor(() => expect(states.at(-1)).toBe('failed'));
  expect(helpers).toHaveLength(4);
  await expect(link.request('tunnel/list', {})).rejects.toThrow('is not started again');
  expect(helpers).toHaveLength(4);

  healthy = true;
  await link.restart();
  await expect(link.request('tunnel/list', {})).resolves.toEqual({ tunnels: [] });
});

it('does not take a restart or a close that was asked for, for a crash', async () => {
  const { link, helpers, states, clock } = world();
  await link.request('tunnel/list', {});
  await link.restart();
  await link.request('tunnel/list', {});
  await link.close();
  clock.advance(60_000);
  expect(states).toEqual(['starting', 'running', 'stopped', 'starting', 'running', 'stopped']);
  expect(helpers).toHaveLength(2);
});

it('falls back to node on PATH when the editor’s runtime fails the self-test, without spending a restart', async () => {
  const { link, helpers, states } = world((_start, runtime) => (runtime === 'editor' ? unfitRuntimeExitCode : {}));
  await link.request('tunnel/list', {});
  expect(helpers.map(({ runtime }) => runtime)).toEqual(['editor', 'path']);
  expect(states).not.toContain('restarting');
});

it('does not start a helper of another version again and again', async () => {
  const { link, helpers, states } = world(() => ({
    hello: () => ({ version: 99, helperId: 'h', product: '9', pid: 1, home: '/' }),
  }));
  await expect(link.request('tunnel/list', {})).rejects.toThrow('version 99');
  expect(states.at(-1)).toBe('failed');
  expect(helpers).toHaveLength(1);
  expect(helpers[0]?.killed).toBe(true);
});

it('is told why the helper refused, with the code of the error', async () => {
  const { link } = world(() => ({
    'tunnel/open': () => {
      throw new TunnelError('DESTINATION_DENIED', 'edge.example.com is not on the allowlist', { data: { file: '/p' } });
    },
  }));
  const refusal = link.request('tunnel/open', {
    server: { id: 's', folders: [] },
    destination: { carrier: 'edge', host: 'edge.example.com' },
    grant: { none: true },
  });
  await expect(refusal).rejects.toMatchObject({ code: 'DESTINATION_DENIED', data: { file: '/p' } });
});

it('passes on what the helper says of its tunnels and its traffic', async () => {
  const { link, helpers } = world();
  await link.request('tunnel/list', {});
  const events: unknown[] = [];
  link.onEvent((event) => events.push(event));
  link.onTrafficChanged((hint) => events.push(hint));
  link.onServersChanged(() => events.push('servers'));

  helpers[0]?.peer.notify('tunnels/changed', { tunnels: [tunnel()] });
  helpers[0]?.peer.notify('traffic/changed', { head: 7 });
  helpers[0]?.peer.notify('servers/changed', {});

  await vi.waitFor(() => expect(events).toEqual([{ kind: 'tunnels', tunnels: [tunnel()] }, { head: 7 }, 'servers']));
});

it('closes stdin at the end, does not start again, and refuses what comes later', async () => {
  const { link, helpers, states } = world();
  await link.request('tunnel/list', {});
  await link.close();
  expect(helpers[0]?.killed).toBe(false);
  expect(states.at(-1)).toBe('stopped');
  await expect(link.request('tunnel/list', {})).rejects.toMatchObject({ code: 'CLOSED' });
  expect(helpers).toHaveLength(1);
});

it('kills a helper that is still starting when the window closes', async () => {
  const { link, helpers } = world(() => ({ hello: () => new Promise(() => {}) as never }));
  const asked = link.request('tunnel/list', {}).catch((error: unknown) => error);
  await vi.waitFor(() => expect(helpers[0]?.asked).toEqual(['hello']));
  await link.close();
  expect(helpers[0]?.killed).toBe(true);
  expect(await asked).toMatchObject({ code: 'CLOSED' });
});

it('kills a helper that does not greet in time', async () => {
  const { link, helpers, states, clock } = world(() => ({ hello: () => new Promise(() => {}) as never }));
  const asked = link.request('tunnel/list', {}).catch((error: unknown) => error);
  await vi.waitFor(() => expect(helpers[0]?.asked).toEqual(['hello']));
  clock.advance(60_000);
  expect(await asked).toMatchObject({ code: 'CLOSED' });
  expect(helpers[0]?.killed).toBe(true);
  expect(states.at(-1)).toBe('restarting');
});
