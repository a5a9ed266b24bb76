import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { Lifetime } from '../../../src/core/lifetime.ts';
import type { Platform } from '../../../src/discovery/places.ts';
import { watchServers } from '../../../src/discovery/watchServers.ts';

let folder: string;
let lifetime: Lifetime;
let changes: number;
const platform = (): Platform => ({ platform: 'linux', home: join(folder, 'home'), env: {} });

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mcpt-'));
  lifetime = new Lifetime();
  changes = 0;
});
afterEach(async () => {
  await lifetime.close();
  await rm(folder, { recursive: true, force: true });
});

/** Resolves when the first look is over: a change before it would not be one. */
async function watchIt(folders = [folder]): Promise<void> {
  const ready = join(folder, '.mcp.json');
  lifetime.add(watchServers(folders, () => (changes += 1), systemClock, platform()));
  await nextChange(() => writeFile(ready, `{} ${changes}`));
}

async function nextChange(act: () => Promise<unknown>): Promise<void> {
  const before = changes;
  let acted = false;
  await vi.waitFor(
    async () => {
      // The first look may still be going on while the first act happens: then it is the state that is compared with.
      if (!acted || before === 0) await act();
      acted = true;
      await vi.waitFor(() => expect(changes).toBeGreaterThan(before), { timeout: 1_000, interval: 10 });
    },
    { timeout: 8_000, interval: 1 },
  );
}

describe('watchServers', () => {
  it('hears of the user’s own files, and of files that a pattern stands for', async () => {
    await watchIt();
    await nextChange(async () => {
      await mkdir(join(folder, 'home/.cursor'), { recursive: true });
      await writeFile(join(folder, 'home/.cursor/mcp.json'), `{} ${changes}`);
    });
    await nextChange(async () => {
      await mkdir(join(folder, '.continue/mcpServers'), { recursive: true });
      await writeFile(join(folder, '.continue/mcpServers/a.yaml'), `name: a ${changes}`);
    });
    await nextChange(() => writeFile(join(folder, '.continue/mcpServers/a.yaml'), 'name: other'));
    await nextChange(() => rm(join(folder, '.continue/mcpServers/a.yaml')));
  });

  it('hears of files in folders that come later, are replaced, and go', async () => {
    await watchIt();
    await nextChange(async () => {
      await mkdir(join(folder, '.vscode'));
      await writeFile(join(folder, '.vscode/mcp.json'), '{}');
    });
    await nextChange(() => writeFile(join(folder, '.vscode/mcp.json'), '{"servers":{}}'));
    await nextChange(async () => {
      await writeFile(join(folder, '.vscode/new.json'), '{"servers":{"a":1}}');
      await rename(join(folder, '.vscode/new.json'), join(folder, '.vscode/mcp.json'));
    });
    await nextChange(() => rm(join(folder, '.vscode'), { recursive: true }));
  });

  it('survives that the workspace folder itself goes and comes back', async () => {
    await watchIt();
    await nextChange(() => rm(folder, { recursive: true }));
    await nextChange(async () => {
      await mkdir(join(folder, '.cursor'), { recursive: true });
      await writeFile(join(folder, '.cursor/mcp.json'), '{}');
    });
    await nextChange(() => writeFile(join(folder, '.cursor/mcp.json'), '{ }'));
  });

  it('waits for a folder that does not exist yet', async () => {
    const later = join(folder, 'not/yet/there');
    await watchIt([folder, later]);
    await nextChange(async () => {
      await mkdir(later, { recursive: true });
      await writeFile(join(later, '.mcp.json'), '{}');
    });
  });

  it('makes one of a burst of changes, and nothing of other files', async () => {
    await watchIt();
    const before = changes;
    for (let n = 0; n < 50; n += 1) {
      await writeFile(join(folder, `unrelated-${n}`), 'x');
      await writeFile(join(folder, '.mcp.json'), `{}${' '.repeat(n)}`);
    }
    await vi.waitFor(() => expect(changes).toBeGreaterThan(before), { timeout: 5_000 });
    await nextChange(() => writeFile(join(folder, '.mcp.json'), '{"last":1}'));
    expect(changes - before).toBeLessThan(10);
  });

  it('says nothing of other files in the same folders', async () => {
    const timers: (() => void)[] = [];
    const clock = {
      now: () => 0,
      after: (_ms: number, callback: () => void) => (timers.push(callback), { cancel() {} }),
    };
    const nextTimer = async (): Promise<void> => {
      await vi.waitFor(() => expect(timers.length).toBe(1), { timeout: 5_000, interval: 1 });
      timers.pop()?.();
    };
    await writeFile(join(folder, '.mcp.json'), '{}');
    lifetime.add(watchServers([folder], () => (changes += 1), clock, platform()));
    for (let n = 0; n < 5; n += 1) {
      await writeFile(join(folder, 'unrelated'), 'x'.repeat(n));
      await nextTimer();
    }
    await writeFile(join(folder, '.mcp.json'), '{"a":1}');
    await nextTimer();
    await vi.waitFor(() => expect(changes).toBeGreaterThan(0), { timeout: 5_000 });
    expect(changes).toBe(1);
  });

  it('is silent after its close, which can be asked for twice', async () => {
    const watch = watchServers([folder], () => (changes += 1), systemClock, platform());
    await watch.close();
    await watch.close();
    lifetime.add(watchServers([folder], () => (changes += 100), systemClock, platform()));
    await nextChange(() => writeFile(join(folder, '.mcp.json'), `{} ${Math.random()}`));
    expect(changes % 100).toBe(0);
  });
});
