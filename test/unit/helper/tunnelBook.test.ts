// A tunnel comes back under its name, at its port, with its instance; a name that lives is never taken from anybody.
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TunnelError } from '../../../src/core/errors.ts';
import { privateFiles } from '../../../src/helper/privateFiles.ts';
import { maxEntries, TunnelBook, type TunnelBookOptions } from '../../../src/helper/tunnelBook.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { MemoryFiles } from '../../support/memoryFiles.ts';
import { temporaryFolder } from '../../support/temporaryFolder.ts';

const path = '/home/tunnels.json';
const embedded = { carrier: 'embedded' } as const;
const edge = { carrier: 'edge', host: 'edge.example:443' } as const;
const server = { id: 'server-1', name: 'Everything!' };

/** Helpers on one machine, of which some are dead. */
function machine() {
  const files = new MemoryFiles();
  const dead = new Set<string>();
  const asked: string[] = [];
  const clock = new FakeClock();
  const book = (helperId: string, more: Partial<TunnelBookOptions> = {}): TunnelBook =>
    new TunnelBook({
      files,
      path,
      helperId,
      clock,
      random: Math.random,
      isAlive: async (id) => {
        asked.push(id);
        return !dead.has(id);
      },
      ...more,
    });
  const text = (): string => files.texts.get(path) ?? '';
  return { files, dead, asked, book, text };
}

async function refused(promise: Promise<unknown>): Promise<TunnelError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TunnelError);
  return error as TunnelError;
}

describe('the same server', () => {
  it('keeps which certificate was asked for under its name, until another one is', async () => {
    const { book } = machine();
    const certificate = { kind: 'acme', directory: 'https://ca.example/dir', agreedToTerms: true } as const;
    const { instance } = await book('a').take(server, edge, 'mine');
    await book('a').keepCertificate(instance, certificate);
    await book('a').release(instance);
    expect((await book('b').take(server, edge, 'mine')).certificate).toEqual(certificate);
    await book('b').keepCertificate(instance, undefined);
    await book('b').release(instance);
    expect(await book('c').take(server, edge, 'mine')).not.toHaveProperty('certificate');
  });

  it('gets the same label, port and instance after its holder died', async () => {
    const { book, dead } = machine();
    const first = await book('a').take(server, embedded);
    await book('a').keepPort(first.instance, 40_001);
    dead.add('a');
    const second = await book('b').take(server, embedded);
    expect(second).toMatchObject({ label: first.label, instance: first.instance, port: 40_001, holder: 'b' });
    expect(first.label).toMatch(/^everything-[a-z2-9]{4}$/);
  });

  it('gets them after its tunnel was closed, too', async () => {
    const { book } = machine();
    const first = await book('a').take(server, embedded);
    await book('a').release(first.instance);
    expect(await book('b').take(server, embedded)).toMatchObject({ label: first.label, instance: first.instance });
  });

  it('gets a hostname of its own while the first lives, in another helper and in the same', async () => {
    const { book } = machine();
    const first = await book('a').take(server, embedded);
    const inAnother = await book('b').take(server, embedded);
    const inTheSame = await book('a').take(server, embedded);
    expect(new Set([first, inAnother, inTheSame].map(({ label }) => label)).size).toBe(3);
    expect(new Set([first, inAnother, inTheSame].map(({ instance }) => instance)).size).toBe(3);
  });

  it('is another one at another destination', async () => {
    const { book } = machine();
    const here = await book('a').take(server, embedded);
    await book('a').release(here.instance);
    const there = await book('a').take(server, edge);
    expect(there.instance).not.toBe(here.instance);
    expect((await book('a').take(server, embedded)).instance).toBe(here.instance);
  });

  it('opened by two at once is two entries', async () => {
    const { book } = machine();
    const taken = await Promise.all(['a', 'b', 'c', 'd'].map((helper) => book(helper).take(server, embedded)));
    expect(new Set(taken.map(({ label }) => label)).size).toBe(4);
  });

  it('opened by two at once over the real disk is two entries, and one after that', async () => {
    const { book } = machine();
    const real = { files: privateFiles, path: join(await temporaryFolder(), 'tunnels.json') };
    const [first, second] = await Promise.all([
      book('a', real).take(server, embedded),
      book('b', real).take(server, embedded),
    ]);
    expect(first.instance).not.toBe(second.instance);
    await book('a', real).release(first.instance);
    expect((await book('c', real).take(server, embedded)).instance).toBe(first.instance);
  });
});

describe('a wanted name', () => {
  it('that lives is a CONFLICT that names its server', async () => {
    const { book } = machine();
    await book('a').take({ id: 'x', name: 'Payments' }, embedded, 'pay');
    const error = await refused(book('b').take(server, embedded, 'pay'));
    expect([error.code, error.message]).toEqual(['CONFLICT', expect.stringMatching(/pay.*Payments/)]);
    expect((await refused(book('a').take(server, embedded, 'pay'))).code).toBe('CONFLICT');
  });

  it('is free again when its holder is dead, and comes with its port', async () => {
    const { book, dead } = machine();
    const first = await book('a').take({ id: 'x', name: 'Payments' }, embedded, 'pay');
    await book('a').keepPort(first.instance, 40_002);
    dead.add('a');
    expect(await book('b').take(server, embedded, 'pay')).toMatchObject({ label: 'pay', port: 40_002 });
  });

  it('at one edge is no hindrance at another', async () => {
    const { book } = machine();
    await book('a').take(server, embedded, 'pay');
    expect((await book('b').take(server, edge, 'pay')).label).toBe('pay');
  });

  it.each(['', 'Pay', 'pay.me', '-pay', 'connect', 'xn--pay', '_pay', 'ü', 'x'.repeat(64)])(
    '“%s” cannot be a hostname',
    async (name) => {
      const { book, text } = machine();
      expect((await refused(book('a').take(server, embedded, name))).code).toBe('USAGE');
      expect(text()).toBe('');
    },
  );
});

describe('the book', () => {
  it('draws no name twice, however unlucky chance is', async () => {
    const { book } = machine();
    const unlucky = { random: () => 0 };
    const labels: string[] = [];
    for (const id of ['1', '2', '3', '4']) {
      labels.push((await book('a', unlucky).take({ id, name: 'same' }, embedded)).label);
    }
    expect(new Set(labels).size).toBe(4);
  });

  it('forgets only what this helper holds', async () => {
    const { book } = machine();
    const { instance } = await book('a').take(server, embedded);
    await book('b').release(instance);
    expect((await book('c').take(server, embedded)).instance).not.toBe(instance);
  });

  it('asks nobody whether this helper is alive', async () => {
    const { book, asked } = machine();
    await book('a').take(server, embedded);
    await book('a').take(server, embedded);
    expect(asked).toEqual([]);
  });

  it(`keeps ${maxEntries} entries, the newest`, async () => {
    const { book, text } = machine();
    for (let index = 0; index <= maxEntries; index += 1) {
      await book('a').release((await book('a').take({ id: `${index}`, name: 's' }, embedded)).instance);
    }
    expect((JSON.parse(text()) as { tunnels: unknown[] }).tunnels).toHaveLength(maxEntries);
    expect(text()).not.toContain('"server": "s0"');
  });

  it('that cannot be read is CONFIG_INVALID with its path, and stays as it is', async () => {
    const { book, files } = machine();
    const entry = { key: 'k', server: 's', label: 'l', instance: 'i', usedMs: 1 };
    for (const text of [
      '',
      '{',
      'null',
      '{"version":2,"tunnels":[]}',
      JSON.stringify({ version: 1, tunnels: [{ ...entry, label: '../../etc' }] }),
      JSON.stringify({ version: 1, tunnels: [{ ...entry, port: 70_000 }] }),
      JSON.stringify({ version: 1, tunnels: [{ ...entry, instance: '' }] }),
    ]) {
      files.texts.set(path, text);
      const error = await refused(book('a').take(server, embedded));
      expect([error.code, error.data?.['file'], error.message]).toEqual([
        'CONFIG_INVALID',
        path,
        expect.stringContaining(path),
      ]);
      expect(files.texts.get(path)).toBe(text);
    }
  });

  it('of any text is refused or read, never anything else', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.json()), async (text) => {
        const { book, files } = machine();
        files.texts.set(path, text);
        await book('a')
          .take(server, embedded)
          .catch((error: unknown) => expect((error as TunnelError).code).toBe('CONFIG_INVALID'));
      }),
    );
  });
});

describe('a name that a person chose', () => {
  it('is not taken again by an opening that chooses none', async () => {
    const { book } = machine();
    const unnamed = await book('one').take(server, embedded);
    await book('one').release(unnamed.instance);
    const named = await book('one').take(server, embedded, 'mine');
    await book('one').release(named.instance);
    const again = await book('one').take(server, embedded);
    expect(again.label).toBe(unnamed.label);
    expect((await book('one').take(server, embedded, 'mine')).instance).toBe(named.instance);
  });
});
