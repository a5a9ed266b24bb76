import { expect, it } from 'vitest';
import { TunnelError } from '../../../src/core/errors.ts';
import type { HelperLink } from '../../../src/extension/helperLink.ts';
import { Store } from '../../../src/extension/store.ts';
import { ToolRefresh } from '../../../src/extension/toolRefresh.ts';
import type { ToolRules } from '../../../src/protocol/control.ts';
import { grant, toolRules, tunnel } from './samples.ts';

type Answer = { resolve: (rules: ToolRules) => void; reject: (error: unknown) => void };

function world() {
  const store = new Store();
  store.accept({ kind: 'helper', state: { kind: 'running', product: '1', pid: 1 } });
  store.accept({ kind: 'tunnels', tunnels: [tunnel()] });
  const answers: Answer[] = [];
  const request = (): Promise<ToolRules> =>
    new Promise((resolve, reject) => {
      answers.push({ resolve, reject });
    });
  const helper = { request: request as unknown as HelperLink['request'], report: store.accept.bind(store) };
  return { store, answers, tools: new ToolRefresh({ helper, store }) };
}

it('asks once however many wait, and once more for those who came meanwhile', async () => {
  const { store, answers, tools } = world();
  const first = tools.refresh('t1');
  const second = tools.refresh('t1');
  expect(answers).toHaveLength(1);
  answers[0]?.resolve(toolRules({ tools: [] }));
  await expect.poll(() => answers.length).toBe(2);
  answers[1]?.resolve(toolRules());
  await Promise.all([first, second]);
  expect(store.tools.get('t1')).toEqual({ kind: 'loaded', rules: toolRules() });
});

it('shows a failure instead of throwing it, and the next answer in its place', async () => {
  const { store, answers, tools } = world();
  const failing = tools.refresh('t1');
  answers[0]?.reject(new TunnelError('UPSTREAM_EXITED', 'everything ended'));
  await failing;
  expect(store.tools.get('t1')).toMatchObject({ kind: 'failed', error: { code: 'UPSTREAM_EXITED' } });
  const again = tools.refresh('t1');
  answers[1]?.resolve(toolRules());
  await again;
  expect(store.tools.get('t1')?.kind).toBe('loaded');
});

it('asks again when a grant changes, only where somebody looked', async () => {
  const { store, answers, tools } = world();
  store.accept({ kind: 'grants', grants: [grant()] });
  expect(answers).toHaveLength(0);
  const looked = tools.refresh('t1');
  answers[0]?.resolve(toolRules());
  await looked;
  store.accept({ kind: 'grants', grants: [] });
  expect(answers).toHaveLength(2);
});

it('leaves nothing of a tunnel that was closed while its server was asked', async () => {
  const { store, answers, tools } = world();
  const asking = tools.refresh('t1');
  store.accept({ kind: 'tunnels', tunnels: [] });
  answers[0]?.resolve(toolRules());
  await asking;
  expect(store.tools.size).toBe(0);
});
