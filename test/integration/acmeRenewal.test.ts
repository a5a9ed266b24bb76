// When a certificate is ordered, renewed and asked for again, by one process and by two of one machine. The authority is a
// double (`acmeDouble.ts`); real ones are asked in `test/e2e/acme.test.ts`.
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TunnelError } from '../../src/core/errors.ts';
import type { PrivateFiles } from '../../src/core/files.ts';
import { privateFiles } from '../../src/helper/privateFiles.ts';
import { aProcess, dayMs, hourMs, makeWorld, pass, problem } from '../support/acmeWorld.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { until } from '../support/until.ts';

describe('a certificate by ACME', () => {
  it('is ordered once, kept, and renewed at two thirds of its life with a new key, and no key goes out', async () => {
    const world = await makeWorld();
    const { double, clock } = world;
    const one = await aProcess(world);
    expect(one.renewal.warning).toContain('until ca.example');
    one.run();
    await one.issued();
    expect(one.renewal).toMatchObject({ warning: undefined, account: `${double.origin}/account/1` });
    const first = one.renewal.chain!;
    expect(first.notAfterMs - clock.now()).toBeGreaterThan(89 * dayMs);
    clock.jump(59 * dayMs); // The machine slept: timers know nothing of it.
    const early = clock.now() + 3 * hourMs;
    await pass(world, 3 * hourMs, () => clock.now() >= early);
    expect(double.count('/order')).toBe(1);
    clock.jump(dayMs);
    await pass(world, 2 * hourMs, () => one.renewal.chain !== first);
    expect(double.count('/order')).toBe(2);
    expect(one.renewal.chain!.keyPem).not.toBe(first.keyPem);
    await one.renewal.close();

    const two = await aProcess(world);
    expect(two.renewal.chain).toEqual(one.renewal.chain);
    const sent = double.calls.map(({ body }) => body + Buffer.from(body, 'base64').toString('latin1')).join();
    for (const { keyPem } of [first, one.renewal.chain!, one.shown[0]!]) {
      expect(sent).not.toContain(keyPem.split('\n')[1]);
      expect(sent).not.toContain('PRIVATE KEY');
    }
  });

  it('is ordered by one of two processes that want it at once, and both have it', async () => {
    const world = await makeWorld();
    const [one, two] = [await aProcess(world), await aProcess(world)];
    one.run();
    two.run();
    await until(() => {
      world.clock.advance(1000);
      return one.renewal.chain !== undefined && two.renewal.chain !== undefined;
    });
    expect(world.double.count('/order')).toBe(1);
    expect(two.renewal.chain).toEqual(one.renewal.chain);
  });

  it('is not ordered while the tunnel is not up', async () => {
    const world = await makeWorld();
    let isUp = false;
    const one = await aProcess(world, { isUp: () => isUp });
    one.run();
    await pass(world, 60_000, () => world.clock.pending > 0);
    expect(world.double.calls).toEqual([]);
    isUp = true;
    await pass(world, 60_000, () => one.renewal.chain !== undefined);
  });

  it('is ordered again after a bad nonce, at once', async () => {
    const world = await makeWorld();
    let bad = 0;
    world.double.answer = ({ method, path }) =>
      method === 'POST' && path === '/order' && (bad += 1) < 3 ? problem(400, 'badNonce', 'used') : undefined;
    const one = await aProcess(world);
    one.run();
    await one.issued();
    expect(bad).toBe(3);
  });

  it('waits as long as the authority says, and a restart does not shorten that', async () => {
    const world = await makeWorld();
    const { double, clock } = world;
    double.answer = ({ path }) =>
      path === '/order' ? problem(429, 'rateLimited', 'too many', { 'retry-after': String(3 * 3600) }) : undefined;
    const one = await aProcess(world);
    one.run();
    await one.warned(/429 \(rateLimited: too many\); tried again at/);
    await one.renewal.close();
    const two = await aProcess(world);
    two.run();
    await two.warned(/429 \(rateLimited: too many\)/);
    await pass(world, 2.9 * hourMs, () => clock.now() > Date.now() + 2.8 * hourMs);
    expect(double.count('/order')).toBe(1);
    double.answer = () => undefined;
    await pass(world, hourMs, () => two.renewal.chain !== undefined);
  });

  it('is asked for four times an hour at most, whatever the authority answers', async () => {
    const world = await makeWorld();
    const { double, clock } = world;
    double.answer = ({ path }) => (path === '/order' ? problem(403, 'rejectedIdentifier', 'no') : undefined);
    const one = await aProcess(world);
    const begin = clock.now();
    one.run();
    await one.warned(/rejectedIdentifier/);
    await pass(world, hourMs, () => clock.now() >= begin + hourMs);
    expect(double.count('/order')).toBeLessThanOrEqual(4);
    expect(double.count('/order')).toBeGreaterThan(1);
  });

  it('leaves what it has in place while a renewal fails, until that is over', async () => {
    const world = await makeWorld();
    const { double, clock } = world;
    const one = await aProcess(world);
    one.run();
    await one.issued();
    double.answer = ({ path }) => (path === '/order' ? problem(500, 'serverInternal', 'broken') : undefined);
    clock.jump(61 * dayMs);
    await pass(world, 2 * hourMs, () => /not renewed.*500 \(serverInternal/.test(one.renewal.warning ?? ''));
    expect(one.renewal.chain).toBeDefined();
    clock.jump(28.5 * dayMs);
    await pass(world, dayMs, () => one.renewal.chain === undefined);
    expect(one.renewal.warning).toMatch(/^agents see a certificate of this machine’s own authority: .*500/);
    expect(clock.now()).toBeGreaterThan(Date.now() + 88 * dayMs);
    double.answer = () => undefined;
    await pass(world, 2 * hourMs, () => one.renewal.chain !== undefined);
  });

  it('is not asked for without a person’s word on the terms of service', async () => {
    const world = await makeWorld();
    const { double } = world;
    const terms = { meta: { termsOfService: 'https://ca.example/terms\u001b[2J' } };
    double.answer = ({ path }) => {
      const of = (resource: string): string => `${double.origin}/${resource}`;
      const json = { newNonce: of('nonce'), newAccount: of('account'), newOrder: of('order'), ...terms };
      return path === '/directory' ? { json } : undefined;
    };
    const one = await aProcess(world);
    one.run();
    await one.warned(/terms of service \(https:\/\/ca\.example\/terms\?\[2J\)/);
    expect(double.count('/account')).toBe(0);
    await one.renewal.close();
    const two = await aProcess(world, { agreedToTerms: true });
    two.run();
    await two.issued();
    const account = double.calls.find(({ path }) => path === '/account');
    expect(account?.payload).toEqual({ termsOfServiceAgreed: true });
  });

  it('is given up in the middle when the tunnel is closed, and nothing is held against the next start', async () => {
    const world = await makeWorld();
    const { double } = world;
    let asked = false;
    double.answer = ({ path }) => {
      if (path !== '/authorization') return undefined;
      asked = true;
      return new Promise(() => {});
    };
    const one = await aProcess(world);
    one.run();
    await until(() => asked);
    await one.renewal.close();
    double.answer = () => undefined;
    const two = await aProcess(world);
    two.run();
    await two.issued();
  });

  it('is not ordered where the attempt cannot be written down', async () => {
    const world = await makeWorld();
    const full: PrivateFiles = {
      ...privateFiles,
      read: (path) => privateFiles.read(path),
      write: (path, text) => privateFiles.write(path, text),
      update: async (path, change) => {
        if (path.endsWith('certificates.json')) throw new TunnelError('STATE_UNWRITABLE', 'no space left');
        return privateFiles.update(path, change);
      },
    };
    const one = await aProcess(world, { files: full });
    one.run();
    await one.warned(/no space left/);
    expect(world.double.count('/order')).toBe(0);
  });

  it('says so where what was kept cannot be read, and orders nothing', async () => {
    const world = await makeWorld();
    const one = await aProcess(world);
    one.run();
    await one.issued();
    await one.renewal.close();
    const [inside = ''] = await readdir(world.folder);
    const file = join(world.folder, inside, 'certificates.json');
    await writeFile(file, '{"version":1,"names":[{');
    const two = await aProcess(world);
    two.run();
    await two.warned(/cannot be read; move it away/);
    expect(world.double.count('/order')).toBe(1);
  });

  it('is shown although it begins later by this machine’s clock, with a word on the clock', async () => {
    const world = await makeWorld();
    const one = await aProcess(world);
    one.run();
    await one.issued();
    await one.renewal.close();
    world.clock.jump(-30 * dayMs);
    const two = await aProcess(world);
    two.run();
    await two.warned(/by this machine’s clock the certificate does not hold before .*: set the clock right/);
    expect(two.renewal.chain).toBeDefined();
    expect(world.double.count('/order')).toBe(1);
  });

  it('counts as refused when it is none, or not ours', async () => {
    const world = await makeWorld();
    const { double } = world;
    for (const [text, words] of [
      ['', /holds no PEM certificate/],
      [double.authority.certificatePem, /does not belong to its key/],
      ['x'.repeat(100_000), /gave out something that is no certificate/],
    ] as const) {
      const fresh = { ...world, folder: await temporaryFolder() };
      double.answer = ({ path }) => (path === '/certificate' ? { text } : undefined);
      const one = await aProcess(fresh);
      one.run();
      await one.warned(words);
      expect(one.renewal.chain).toBeUndefined();
      await one.renewal.close();
    }
  });
});

describe('a certificate that is of no use', () => {
  it('is not shown when it is over before it arrives, and no more than the week’s number are ordered', async () => {
    const world = await makeWorld(200 * dayMs);
    const { double, clock } = world;
    const one = await aProcess(world);
    one.run();
    await one.warned(/the certificate from ca\.example:\d+ expired on/);
    expect(one.renewal.chain).toBeUndefined();
    for (let day = 0; day < 3; day += 1) {
      const before = double.count('/certificate');
      clock.jump(dayMs);
      await pass(world, 2 * hourMs, () => double.count('/certificate') > before);
    }
    expect(double.count('/certificate')).toBe(4);
    clock.jump(dayMs);
    await pass(world, 2 * hourMs, () => /enough certificates were issued/.test(one.renewal.warning ?? ''));
    expect(double.count('/certificate')).toBe(4);
  });
});
