import { readFile, rm, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AuditEvent } from '../../../src/audit/auditEvent.ts';
import type { AuditLog } from '../../../src/audit/auditLog.ts';
import { lineHash } from '../../../src/audit/link.ts';
import { openAuditLog } from '../../../src/audit/openAuditLog.ts';
import { isSignedBy } from '../../../src/audit/signedRecord.ts';
import { moment } from '../../../src/cli/auditShow.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { chainLocks } from '../../../src/helper/chainLocks.ts';
import { privateFiles } from '../../../src/helper/privateFiles.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { until } from '../../support/until.ts';
import { World } from './world.ts';

let world: World;
let clock: FakeClock;
beforeEach(async () => {
  world = await World.make();
  clock = new FakeClock(Date.now() - 7_200_000);
});
afterEach(() => world.close());

function openLog(helper: string): Promise<AuditLog> {
  const { auditFolder: folder, auditKey: keyFiles } = world.paths;
  return openAuditLog({ folder, keyFiles, files: privateFiles, locks: chainLocks, helper, clock });
}

const call = (name: string, decision: 'allow' | 'deny' = 'allow'): AuditEvent => ({
  kind: 'call',
  exchange: `exchange-${name}`,
  tunnel: 't1',
  principal: { id: 'g1', name: 'claude', grant: 'g1' },
  visitor: '203.0.113.7',
  carrier: 'edge',
  method: 'tools/call',
  name,
  decision,
  rule: 'user',
});

/** Two helpers that ran at the same time and have ended. */
async function twoLogs(): Promise<void> {
  const [first, second] = [await openLog('aaaa-1'), await openLog('bbbb-1')];
  await first.append(call('one'));
  clock.advance(3_600_000);
  await second.append(call('two', 'deny'));
  clock.advance(1_000);
  await first.append(call('three'));
  await Promise.all([first.close(), second.close()]);
}

const pathOf = (chain: string): string => `${world.paths.auditFolder}/${chain}/000001.jsonl`;

async function edit(chain: string, change: (lines: string[]) => string[]): Promise<void> {
  const lines = (await readFile(pathOf(chain), 'utf8')).split('\n').slice(0, -1);
  await writeFile(
    pathOf(chain),
    change(lines)
      .map((line) => `${line}\n`)
      .join(''),
  );
}

async function headOf(chain: string): Promise<string> {
  const { events } = await world.run(['audit', 'verify', '--helper', chain, '--json']);
  const { count, hash } = events[0]!['head'] as { count: number; hash: string };
  return `${count}:${hash}`;
}

describe('audit verify', () => {
  it('says of each log that it is intact, and what it could not tell', async () => {
    await twoLogs();
    const { code, out } = await world.run(['audit', 'verify']);
    expect(code).toBe(0);
    expect(out).toMatch(/aaaa-1 {2}intact {2}4 records, closed/);
    expect(out).toMatch(/bbbb-1 {2}intact {2}3 records, closed/);
    expect(out).toMatch(/Intact: 7 records/);
    expect(out).toMatch(/cut from the end.*only with a head/);
    const json = await world.run(['audit', 'verify', '--json']);
    expect(json.events).toMatchObject([
      { event: 'chain', verdict: 'intact', chain: 'aaaa-1', records: 4, signed: 4, headChecked: false, notes: [] },
      { event: 'chain', verdict: 'intact', chain: 'bbbb-1', records: 3 },
      { event: 'verified', chains: 2, records: 7, key: expect.stringMatching(/^[0-9a-f]{64}$/) as string },
    ]);
  });

  it('names the first line that is not what was written, and ends with 3', async () => {
    await twoLogs();
    await edit('aaaa-1', (lines) => lines.with(1, lines[1]!.replace('"one"', '"two"')));
    const { code, out, err } = await world.run(['audit', 'verify']);
    expect(code).toBe(3);
    expect(out).toContain('aaaa-1  BROKEN  changed: line 2 was changed');
    expect(out).toContain('bbbb-1  intact');
    expect(out).not.toContain('Intact:');
    expect(err).toContain(`${pathOf('aaaa-1')}: line 2 was changed`);
    const json = await world.run(['audit', 'verify', '--json']);
    expect(json.events.at(-1)).toMatchObject({
      event: 'error',
      code: 'AUDIT_BROKEN',
      exitCode: 3,
      data: { chain: 'aaaa-1', what: 'changed', file: pathOf('aaaa-1'), line: 2 },
    });
    expect((await world.run(['audit', 'verify', '--helper', 'bbbb'])).code).toBe(0);
  });

  it('sees a cut end with a head that was kept, and a log that is gone', async () => {
    await twoLogs();
    const head = await headOf('bbbb-1');
    const withHead = ['audit', 'verify', '--helper', 'bbbb-1', '--head', head];
    const before = await world.run(withHead);
    expect([before.code, before.out]).toEqual([0, expect.not.stringContaining('only with a head')]);

    await edit('bbbb-1', (lines) => lines.slice(0, 1));
    expect((await world.run(['audit', 'verify'])).code).toBe(0);
    const cut = await world.run(withHead);
    expect([cut.code, cut.err]).toEqual([3, expect.stringMatching(/records 2 to 3 are missing at the end/)]);

    await rm(`${world.paths.auditFolder}/bbbb-1`, { recursive: true });
    const gone = await world.run(withHead);
    expect([gone.code, gone.err]).toEqual([3, expect.stringContaining('was removed')]);
  });

  it('holds a log against a key that was written down elsewhere', async () => {
    await twoLogs();
    const { events } = await world.run(['audit', 'verify', '--json']);
    const key = String(events.at(-1)!['key']);
    await rm(world.paths.auditKey.public);
    const without = await world.run(['audit', 'verify']);
    expect([without.code, without.err]).toEqual([3, expect.stringContaining('public key is missing')]);
    expect((await world.run(['audit', 'verify', '--key', key.toUpperCase()])).code).toBe(0);
    expect((await world.run(['audit', 'verify', '--key', 'a'.repeat(64)])).code).toBe(3);
  });

  it('tells of a helper that is writing, and of one that was killed', async () => {
    const log = await openLog('aaaa-1');
    await log.append(call('one'));
    const running = await world.run(['audit', 'verify', '--json']);
    expect(running.events[0]).toMatchObject({ state: 'in use', notes: ['the last record is not signed yet'] });
    const killed = await readFile(pathOf('aaaa-1'));
    await log.close();
    await writeFile(pathOf('aaaa-1'), killed.subarray(0, -10));
    const torn = await world.run(['audit', 'verify', '--json']);
    expect(torn.code).toBe(0);
    expect(torn.events[0]).toMatchObject({ state: 'unfinished', records: 1 });
    expect(String(torn.events[0]!['notes'])).toMatch(/last line is torn/);
    const next = await openLog('cccc-1');
    await next.append(call('two'));
    await next.close();
    const repaired = await world.run(['audit', 'verify']);
    expect(repaired.out).toMatch(/a torn line was cut off and noted in: 2/);
    expect(repaired.out).toMatch(/ended without a seal; the next one set it: 3/);
  });

  it.each([
    [['--head', '5'], '--head'],
    [['--head', '0:00'], '--head'],
    [['--head', `5:${'a'.repeat(64)}`], 'say with --helper'],
    [['--key', 'abc'], '--key'],
    [['--helper', 'zzzz'], 'there is no audit log “zzzz”'],
    [['--helper', 'aaa'], 'there is no audit log “aaa”'],
  ])('refuses %j with 2', async (words, why) => {
    await twoLogs();
    const { code, err } = await world.run(['audit', 'verify', ...words]);
    expect([code, err]).toEqual([2, expect.stringContaining(why)]);
  });

  it('is not content where there is no log', async () => {
    for (const verb of ['verify', 'show', 'export']) {
      const { code, err } = await world.run(['audit', verb]);
      expect([code, err]).toEqual([2, expect.stringContaining('there is no audit log yet')]);
    }
  });
});

describe('audit show', () => {
  it('prints what happened in the order of time', async () => {
    await twoLogs();
    const { code, out } = await world.run(['audit', 'show']);
    expect(code).toBe(0);
    const names = [...out.matchAll(/ name=(\w+)/g)].map(([, name]) => name);
    expect(names).toEqual(['one', 'two', 'three']);
    expect(out).toMatch(
      /call .*by claude .*visitor=203\.0\.113\.7 carrier=edge method=tools\/call name=two decision=deny/,
    );
  });

  it('prints records as they are with --json, of one log or since a time', async () => {
    await twoLogs();
    const one = await world.run(['audit', 'show', '--helper', 'bbbb', '--json']);
    expect(one.events.map(({ chain, record }) => [chain, (record as { kind: string }).kind])).toEqual([
      ['bbbb-1', 'started'],
      ['bbbb-1', 'call'],
      ['bbbb-1', 'sealed'],
    ]);
    const late = await world.run(['audit', 'show', '--since', '90m', '--json']);
    const names = late.events.flatMap(({ record }) => (record as { name?: string }).name ?? []);
    expect(names).toEqual(['two', 'three']);
  });

  it('makes hostile names harmless, and shows a line that is no record', async () => {
    const log = await openLog('aaaa-1');
    await log.append(call('\u001b[2Jevil\u202e'));
    await log.close();
    await edit('aaaa-1', (lines) => [...lines, '\u001b[2Jnonsense']);
    const { out } = await world.run(['audit', 'show']);
    for (const acting of ['\u001b', '\u202e']) expect(out).not.toContain(acting);
    expect(out).toContain('not a record');
    const { events } = await world.run(['audit', 'show', '--json']);
    expect(events.at(-1)).toMatchObject({ event: 'not-a-record', chain: 'aaaa-1', line: 4 });
  });

  it('follows, from before there is a log until it is interrupted', async () => {
    const controller = new AbortController();
    let seen = '';
    const running = world.run(['audit', 'show', '--follow', '--json'], {
      signal: controller.signal,
      onOut: (text) => (seen += text),
    });
    const log = await openAuditLog({
      folder: world.paths.auditFolder,
      keyFiles: world.paths.auditKey,
      files: privateFiles,
      locks: chainLocks,
      helper: 'aaaa-1',
      clock: systemClock,
    });
    await log.append(call('one'));
    await until(() => seen.includes('"one"'));
    await log.append(call('two'));
    await until(() => seen.includes('"two"'));
    await log.close();
    await until(() => seen.includes('"sealed"'));
    controller.abort();
    const { events } = await running;
    expect(events.map(({ record }) => (record as { kind: string }).kind)).toEqual([
      'started',
      'call',
      'call',
      'sealed',
    ]);
  });

  it('reads times as spans back from now, or as dates', () => {
    const nowMs = Date.UTC(2026, 0, 15, 12);
    expect(moment('2h', nowMs)).toBe(Date.UTC(2026, 0, 15, 10));
    expect(moment('2026-01-14', nowMs)).toBe(Date.UTC(2026, 0, 14));
    expect(moment('2026-01-14T08:00:00+02:00', nowMs)).toBe(Date.UTC(2026, 0, 14, 6));
    for (const text of ['yesterday', '2026-13-45', '', '-1h']) {
      expect(() => moment(text, nowMs)).toThrow(expect.objectContaining({ code: 'USAGE' }) as Error);
    }
  });
});

describe('what a command changes while no helper runs', () => {
  it('is in the log', async () => {
    const { events } = await world.run(['agents', 'add', 'claude', '--tools', 'echo', '--json']);
    const token = String(events[0]!['token']);
    await world.run(['agents', 'rotate', 'claude']);
    await world.run(['agents', 'revoke', 'claude']);
    await world.run(['allow', 'add', 'edge', 'edge.example.com']);
    await world.run(['allow', 'remove', 'edge', 'edge.example.com']);
    const shown = await world.run(['audit', 'show', '--json']);
    const told = shown.events.map(({ record }) => record as { kind: string; event?: string; name?: string });
    expect(told.flatMap(({ kind, event }) => (event === undefined ? [] : [`${kind} ${event}`]))).toEqual([
      'grant added',
      'grant rotated',
      'grant revoked',
      'policy allowed',
      'policy removed',
    ]);
    expect(told[1]).toMatchObject({ name: 'claude', servers: '*', tools: 'echo', expiresMs: expect.any(Number) });
    expect(shown.out).not.toContain(token);
    expect((await world.run(['audit', 'verify'])).code).toBe(0);
  });
});

describe('audit export', () => {
  it('gives all that is needed to check hashes and signatures elsewhere', async () => {
    await twoLogs();
    for (const words of [
      ['audit', 'export'],
      ['audit', 'export', '--json'],
    ]) {
      const { code, out } = await world.run(words);
      expect(code).toBe(0);
      const lines = out
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Exported);
      const [head, a, b, ...records] = lines;
      expect(head).toMatchObject({ event: 'export', hash: 'sha256' });
      expect(a).toMatchObject({ event: 'chain', chain: 'aaaa-1', verdict: 'intact', records: 4, signed: 4 });
      expect(b).toMatchObject({ event: 'chain', chain: 'bbbb-1', verdict: 'intact', records: 3, signed: 3 });
      expect(records.map(({ record }) => record!.name ?? record!.kind)).toEqual([
        'started',
        'one',
        'started',
        'two',
        'three',
        'sealed',
        'sealed',
      ]);
      for (const proof of [a!, b!]) {
        let prev = '0'.repeat(64);
        for (const { record, hash } of records.filter(({ chain }) => chain === proof.chain)) {
          const text = JSON.stringify(record);
          expect([record!.prev, lineHash(text)]).toEqual([prev, hash]);
          if (record!.signature !== undefined) expect(isSignedBy(head!.key!, Buffer.from(text))).toBe(true);
          prev = hash!;
        }
        expect(prev).toBe(proof.head!.hash);
      }
    }
  });

  it('gives a broken log as it is, with what is wrong with it', async () => {
    await twoLogs();
    await edit('aaaa-1', (lines) => lines.with(1, lines[1]!.replace('{"seq"', '{ "seq"')));
    const { code, out, err } = await world.run(['audit', 'export', '--helper', 'aaaa-1']);
    expect([code, err]).toEqual([0, expect.stringContaining('line 2 was changed')]);
    const lines = out
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Exported);
    expect(lines[1]).toMatchObject({ event: 'chain', verdict: 'broken', what: 'changed', line: 2 });
    const text = lines[3]!.text!;
    expect(text).toMatch(/^\{ "seq":2/);
    expect(lineHash(text)).toBe(lines[3]!.hash);
  });
});

type Exported = {
  event: string;
  key?: string;
  chain?: string;
  hash?: string;
  text?: string;
  head?: { count: number; hash: string };
  record?: { prev: string; kind: string; name?: string; signature?: string };
};
