import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { ExchangeDetail } from '../../../src/mcp/exchange.ts';
import { rowFilter } from '../../../src/mcp/filter/matchFilter.ts';
import type { ExchangeRecorder } from '../../../src/traffic/exchangeRecorder.ts';
import { Segments } from '../../../src/traffic/segments.ts';
import { TrafficLog } from '../../../src/traffic/trafficLog.ts';
import { TrafficView } from '../../../src/traffic/trafficView.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { temporaryFolder } from '../../support/temporaryFolder.ts';

async function world({ warm = { rows: 2, bytes: 1_000_000 }, capacity = 100 } = {}) {
  const folder = join(await temporaryFolder(), 'own');
  const segments = new Segments(folder, { maxBytes: 100_000, max: 4 });
  onTestFinished(() => segments.close());
  const log = new TrafficLog({ clock: new FakeClock(), secrets: () => ['hunter2-hunter2'], capacity, segments, warm });
  const call = (name: string, answer = `answer of ${name}`): ExchangeRecorder => {
    const recorder = log.begin({
      tunnel: 't',
      direction: 'agent-to-server',
      kind: 'request',
      httpMethod: 'POST',
      path: '/mcp',
      headers: [['x-name', name]],
    });
    recorder.update({ method: 'tools/call', name, principal: { kind: 'grant', name: 'claude' } });
    recorder.request(Buffer.from(`{"call":"${name}","key":"hunter2-hunter2"}`));
    recorder.message('server-to-agent', answer);
    recorder.finish({ status: 'ok' });
    return recorder;
  };
  const movedOut = (recorder: ExchangeRecorder): Promise<unknown> =>
    expect.poll(() => recorder.place, { interval: 1 }).toBeDefined();
  return { folder, segments, log, call, movedOut };
}

it('moves what was said in older exchanges to the disk, and gives it back as it was', async () => {
  const { log, call, movedOut, folder, segments } = await world();
  const a = call('a');
  const before: ExchangeDetail = log.get(a.id);
  expect(segments.files).toBe(0);
  call('b');
  call('c');
  await movedOut(a);
  expect(log.get(a.id).messages).toEqual([]);
  expect(await log.detail(a.id)).toEqual(before);
  expect(await readdir(folder)).toEqual(['1.seg']);
  expect((await segments.read(a.place!))?.toString()).not.toContain('hunter2');
});

it('does the same with few that are large, and counts what is left in memory', async () => {
  const { log, call, movedOut } = await world({ warm: { rows: 100, bytes: 50_000 } });
  const a = call('a', 'x'.repeat(60_000));
  await movedOut(a);
  expect(a.bytes).toBeLessThan(1_024);
  expect((await log.detail(a.id)).messages[0]?.text).toHaveLength(60_000);
});

it('finds text in what is on the disk', async () => {
  const { log, call, movedOut } = await world();
  const all = ['a', 'b', 'c', 'd', 'e'].map((name) => call(name));
  await movedOut(all[1]!);
  const filter = rowFilter(
    { kind: 'filter', terms: [{ kind: 'text', negated: false, texts: ['answer of b'] }] },
    () => '',
  );
  const view = new TrafficView({ log, filter, progressed: () => {} });
  await expect
    .poll(async () => (await view.window({ from: 0, count: 9 })).lines)
    .toMatchObject([{ row: { name: 'b' } }]);
  view.close();
});

it('flags an exchange of which the disk took nothing, fails none, and goes on when it takes more', async () => {
  const { log, call, folder, movedOut } = await world();
  await writeFile(folder, 'a file stands where the folder should be');
  const a = call('a');
  call('b');
  call('c');
  await expect.poll(() => log.lost, { interval: 1 }).toBeGreaterThan(0);
  const detail = await log.detail(a.id);
  expect([detail.row.status, detail.row.flags, detail.messages]).toEqual(['ok', ['redacted', 'truncated'], []]);
  await rm(folder);
  const later = call('d');
  for (const name of ['e', 'f', 'g']) call(name);
  await movedOut(later);
  expect((await log.detail(later.id)).messages[0]?.text).toBe('answer of d');
});

it('keeps what comes while it is being written', async () => {
  const { log, call, movedOut, segments } = await world();
  const a = call('a');
  const append = segments.append.bind(segments);
  segments.append = (records) => {
    segments.append = append;
    a.message('server-to-agent', 'in between');
    return append(records);
  };
  const b = call('b');
  for (const name of ['c', 'd', 'e']) call(name);
  await movedOut(b); // In the same write.
  expect((await log.detail(a.id)).messages.map(({ text }) => text)).toEqual(['answer of a', 'in between']);
});

it('counts and flags what comes after that, and what was moved out stays', async () => {
  const { log, call, movedOut } = await world();
  const a = call('a');
  call('b');
  call('c');
  await movedOut(a);
  a.message('server-to-agent', 'much too late');
  a.response(200, []);
  a.mark('decided');
  const { row, messages } = await log.detail(a.id);
  expect([row.messages, row.flags]).toEqual([2, ['redacted', 'late', 'truncated']]);
  expect(messages.map(({ text }) => text)).toEqual(['answer of a']);
});

it('says so where the oldest file had to go', async () => {
  const { log, call, movedOut, segments } = await world();
  const a = call('a');
  for (let index = 0; index < 10; index += 1) {
    const last = call(`n${index}`, 'x'.repeat(90_000));
    call('b');
    call('c');
    await movedOut(last);
  }
  expect(segments.files).toBeLessThanOrEqual(4);
  const { row, messages } = await log.detail(a.id);
  expect([messages, row.flags]).toEqual([[], ['redacted', 'truncated']]);
});

it('deletes what was cleared or pushed out', async () => {
  const { log, call, movedOut, segments } = await world({ capacity: 10 });
  const a = call('a');
  for (const name of ['b', 'c', 'd']) call(name);
  await movedOut(a);
  log.clear();
  await expect.poll(() => segments.files, { interval: 1 }).toBe(0);
  await expect(log.detail(a.id)).rejects.toThrow('no longer held');
});
