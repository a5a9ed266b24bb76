import { PassThrough, Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { eachChunk } from '../../../src/gateway/eachChunk.ts';

describe('the chunks of a body', () => {
  it('come one after the other, and no next one before the last was taken', async () => {
    const body = new PassThrough();
    const seen: string[] = [];
    let atWork = 0;
    const done = eachChunk(body, async (chunk) => {
      atWork += 1;
      expect(atWork).toBe(1);
      await turn();
      seen.push(chunk.toString());
      atWork -= 1;
    });
    body.write('a');
    body.write('b');
    body.end('c');
    await done;
    expect(seen).toEqual(['a', 'b', 'c']);
  });

  it('end with a body that was empty, or has ended before anybody asked', async () => {
    const empty = Readable.from([]);
    await eachChunk(empty, () => undefined);
    await eachChunk(empty, () => undefined);
  });

  it('are no answer when the body breaks off, for a reason or for none', async () => {
    for (const reason of [new Error('the server died'), undefined]) {
      const body = new PassThrough();
      const done = eachChunk(body, () => undefined);
      body.write('half');
      await turn();
      body.destroy(reason);
      await expect(done).rejects.toThrow(reason?.message ?? 'the body broke off before its end');
    }
  });

  it('are no answer when the body was destroyed before anybody asked', async () => {
    const body = new PassThrough();
    body.destroy();
    await turn();
    await expect(eachChunk(body, () => undefined)).rejects.toThrow('the body broke off before its end');
  });

  it('reject only once what is being taken was taken', async () => {
    const body = new PassThrough();
    let finish = (): void => {};
    const taking = new Promise<void>((resolve) => (finish = resolve));
    let settled = false;
    const done = eachChunk(body, () => taking).finally(() => (settled = true));
    body.write('half');
    await turn();
    body.destroy();
    await turn();
    expect(settled).toBe(false);
    finish();
    await expect(done).rejects.toThrow('the body broke off before its end');
  });

  it('stop when nobody takes more, and reject with what taking threw, at once or later', async () => {
    const seen: string[] = [];
    await eachChunk(Readable.from([Buffer.from('a'), Buffer.from('b')]), (chunk) => {
      seen.push(chunk.toString());
      return 'stop';
    });
    expect(seen).toEqual(['a']);
    const over = new Error('too much');
    const atOnce = (): never => {
      throw over;
    };
    await expect(eachChunk(Readable.from([Buffer.from('a')]), atOnce)).rejects.toBe(over);
    await expect(eachChunk(Readable.from([Buffer.from('a')]), () => Promise.reject(over))).rejects.toBe(over);
  });
});
