import { expect, it } from 'vitest';
import { TunnelError } from '../../../src/core/errors.ts';
import type { HelperLink } from '../../../src/extension/helperLink.ts';
import { PreviewRefresh } from '../../../src/extension/previewRefresh.ts';
import { Store } from '../../../src/extension/store.ts';
import type { ServerPreview } from '../../../src/mcp/preview/preview.ts';
import { preview, server } from './samples.ts';

type Asked = {
  params: object;
  signal: AbortSignal | undefined;
  resolve: (preview: ServerPreview) => void;
  reject: (error: unknown) => void;
};

function world() {
  const store = new Store();
  store.accept({ kind: 'servers', list: { servers: [server()], problems: [] } });
  const asked: Asked[] = [];
  const request = (_method: string, params: object, signal?: AbortSignal): Promise<{ preview: ServerPreview }> =>
    new Promise((resolve, reject) => {
      asked.push({ params, signal, resolve: (taken) => resolve({ preview: taken }), reject });
    });
  const helper = { request: request as unknown as HelperLink['request'], report: store.accept.bind(store) };
  return { store, asked, previews: new PreviewRefresh({ helper, folders: () => ['/work'] }) };
}

it('asks once however many rows wait, and shows the answer', async () => {
  const { store, asked, previews } = world();
  const waiting = [previews.refresh('s1'), previews.refresh('s1')];
  expect(asked.map(({ params }) => params)).toEqual([{ server: { id: 's1', folders: ['/work'] }, refresh: false }]);
  asked[0]?.resolve(preview());
  await Promise.all(waiting);
  expect(store.previews.get('s1')).toEqual({ kind: 'loaded', preview: preview() });
});

it('asks again for who wants it anew or has just agreed, behind what is being asked', async () => {
  const { store, asked, previews } = world();
  const first = previews.refresh('s1');
  const again = previews.refresh('s1', { again: true, consent: 'h' });
  asked[0]?.reject(new TunnelError('CONSENT_REQUIRED', 'nobody agreed'));
  await first;
  expect(store.previews.get('s1')).toEqual({ kind: 'consent' });
  await expect.poll(() => asked.length).toBe(2);
  expect(asked[1]?.params).toMatchObject({ refresh: true, consent: 'h' });
  asked[1]?.resolve(preview());
  await again;
  expect(store.previews.get('s1')?.kind).toBe('loaded');
});

it('shows Restricted Mode and failures as states of the row', async () => {
  const { store, asked, previews } = world();
  const untrusted = previews.refresh('s1');
  asked[0]?.reject(new TunnelError('UNTRUSTED_WORKSPACE', 'no'));
  await untrusted;
  expect(store.previews.get('s1')).toEqual({ kind: 'untrusted' });
  // With trust the servers are listed anew, and the row asks again.
  store.accept({ kind: 'servers', list: { servers: [server()], problems: [] } });
  expect(store.previews.has('s1')).toBe(false);
  const failing = previews.refresh('s1');
  asked[1]?.reject(new TunnelError('UPSTREAM_START', 'it ended', { data: { stderr: ['why'] } }));
  await failing;
  expect(store.previews.get('s1')).toMatchObject({ kind: 'failed', error: { data: { stderr: ['why'] } } });
});

it('leaves what was shown where a person does not want to wait', async () => {
  const { store, asked, previews } = world();
  const first = previews.refresh('s1');
  asked[0]?.resolve(preview());
  await first;
  const impatient = new AbortController();
  const again = previews.refresh('s1', { again: true, signal: impatient.signal });
  expect(asked[1]?.signal).toBe(impatient.signal);
  impatient.abort();
  asked[1]?.reject(new TunnelError('CANCELLED', 'nobody waits'));
  await again;
  expect(store.previews.get('s1')?.kind).toBe('loaded');
});

it('is forgotten when the definition changes or goes, and kept while it stays', async () => {
  const { store, asked, previews } = world();
  const look = async (): Promise<void> => {
    const looking = previews.refresh('s1');
    asked.at(-1)?.resolve(preview());
    await looking;
  };
  await look();
  store.accept({
    kind: 'servers',
    list: { servers: [server({ source: { format: 'vscode', line: 9 } })], problems: [] },
  });
  expect(store.previews.has('s1')).toBe(true);
  const transport = { kind: 'stdio', command: 'node', args: ['other.js'], env: {}, cwd: '/work' } as const;
  store.accept({
    kind: 'servers',
    list: { servers: [server({ transport: { ...transport, args: ['other.js'] } })], problems: [] },
  });
  expect(store.previews.has('s1')).toBe(false);
  await look();
  store.accept({ kind: 'servers', list: { servers: [], problems: [] } });
  expect(store.previews.has('s1')).toBe(false);
  // What was asked before it went is not shown after.
  store.accept({ kind: 'preview', server: 's1', state: { kind: 'consent' } });
  expect(store.previews.has('s1')).toBe(false);
});
