import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { maxWaitingBytes, Output, showsColour } from '../../../src/cli/output.ts';
import { capture } from './world.ts';

function make(json: boolean, colour = false) {
  const [out, err] = [capture(), capture()];
  const output = new Output({
    stdout: out.stream,
    stderr: err.stream,
    json,
    colour: { stdout: colour, stderr: colour },
  });
  return { output, out, err };
}

describe('Output', () => {
  it('writes objects alone to stdout with --json, and text for people without', () => {
    for (const json of [true, false]) {
      const { output, out, err } = make(json);
      output.event({ event: 'ready', name: 'a\nb' });
      output.line('a line');
      output.table(['A'], [['cell']]);
      output.log('a log');
      expect(out.text()).toBe(json ? '{"event":"ready","name":"a\\nb"}\n' : 'a line\nA\ncell\n');
      expect(err.text()).toBe('a log\n');
    }
  });

  it('colours its own words and never a stranger’s', () => {
    const { output, out } = make(false, true);
    output.line({ text: 'evil\u001b[31m', style: 'bold' }, '\u001b[8mhidden');
    expect(out.text()).toBe('\u001b[1mevil\\u001b[31m\u001b[0m\\u001b[8mhidden\n');
  });

  it('writes no escape sequence where colours are off', () => {
    const { output, out } = make(false, false);
    output.line({ text: 'x', style: 'red' });
    expect(out.text()).toBe('x\n');
  });

  it('aligns columns and keeps a cell on its line', () => {
    const { output, out } = make(false);
    output.table(
      ['NAME', 'X'],
      [
        ['long name', '1'],
        ['a\nb', '2'],
      ],
    );
    expect(out.text()).toBe('NAME       X\nlong name  1\na\\nb       2\n');
  });

  it('drops samples and no other event while the reader does not read, and counts them', async () => {
    const written: string[] = [];
    let release: () => void = () => {};
    const stdout = new Writable({
      highWaterMark: 1,
      write(chunk: Buffer, _encoding, done) {
        written.push(String(chunk));
        release = done;
      },
    });
    const output = new Output({ stdout, stderr: stdout, json: true, colour: { stdout: false, stderr: false } });
    const sample = { event: 'exchange', text: 'x'.repeat(1000) };
    for (let n = 0; n < 5_000; n += 1) output.sample(sample);
    output.event({ event: 'state' });
    expect(output.droppedSamples).toBeGreaterThan(0);
    expect(stdout.writableLength).toBeLessThan(maxWaitingBytes + 3_000);
    const flushed = output.flush();
    const pump = setInterval(() => release(), 0);
    await flushed;
    clearInterval(pump);
    expect(written.join('')).toContain('{"event":"state"}');
    expect(output.droppedSamples + written.filter((line) => line.includes('exchange')).length).toBe(5_000);
  });

  it('flushes at once when the reader has gone', async () => {
    const stdout = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error(), { code: 'EPIPE' })),
    });
    stdout.on('error', () => {});
    const output = new Output({
      stdout,
      stderr: capture().stream,
      json: true,
      colour: { stdout: false, stderr: false },
    });
    output.event({ event: 'x' });
    await output.flush();
    await output.flush();
    expect(stdout.destroyed).toBe(true);
  });

  it('shows colours on a terminal only, and respects NO_COLOR', () => {
    expect(showsColour({ isTTY: true }, {})).toBe(true);
    expect(showsColour({}, {})).toBe(false);
    expect(showsColour({ isTTY: true }, { NO_COLOR: '1' })).toBe(false);
    expect(showsColour({ isTTY: true }, { TERM: 'dumb' })).toBe(false);
  });
});
