import { describe, expect, it } from 'vitest';
import { TunnelError } from '../../../src/core/errors.ts';
import { Consents, maxConsents } from '../../../src/helper/consents.ts';
import type { LaunchPlan } from '../../../src/core/server.ts';
import { MemoryFiles } from '../../support/memoryFiles.ts';

const path = '/home/consents.json';
const plan: LaunchPlan = {
  hash: 'h1',
  server: 's',
  command: '/bin/x',
  args: ['a'],
  envNames: ['NODE_OPTIONS', 'TOKEN'],
  loads: { NODE_OPTIONS: '--require ./x.js' },
  cwd: '/w',
};

describe('consents', () => {
  it('are found again by another process, as they were given', async () => {
    const files = new MemoryFiles();
    await new Consents(files, path).give('server-1', plan);
    expect(await new Consents(files, path).find('server-1')).toEqual(plan);
    expect(await new Consents(files, path).find('server-2')).toBeUndefined();
  });

  it('to a newer plan replace those to the older', async () => {
    const consents = new Consents(new MemoryFiles(), path);
    await consents.give('server-1', plan);
    await consents.give('server-1', { ...plan, hash: 'h2' });
    expect((await consents.find('server-1'))?.hash).toBe('h2');
  });

  it('given at once are all kept', async () => {
    const files = new MemoryFiles();
    const ids = Array.from({ length: 20 }, (_, index) => `server-${index}`);
    await Promise.all(ids.map((id) => new Consents(files, path).give(id, plan)));
    for (const id of ids) expect(await new Consents(files, path).find(id)).toEqual(plan);
  });

  it(`are ${maxConsents} at most; the oldest is asked for again`, async () => {
    const consents = new Consents(new MemoryFiles(), path);
    for (let index = 0; index <= maxConsents; index += 1) await consents.give(`server-${index}`, plan);
    expect(await consents.find('server-0')).toBeUndefined();
    expect(await consents.find('server-1')).toEqual(plan);
  });

  it.each(['', '{', '[]', '{"version":2,"consents":[]}', '{"version":1,"consents":[{"id":1}]}'])(
    'in the file %j agree to nothing, and the file is named',
    async (text) => {
      const files = new MemoryFiles();
      files.texts.set(path, text);
      const consents = new Consents(files, path);
      for (const attempt of [consents.find('server-1'), consents.give('server-1', plan)]) {
        const error = await attempt.catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(TunnelError);
        expect(error).toMatchObject({ code: 'CONFIG_INVALID', data: { file: path } });
      }
      expect(files.texts.get(path)).toBe(text);
    },
  );
});
