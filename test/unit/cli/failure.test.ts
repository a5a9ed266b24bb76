import { describe, expect, it } from 'vitest';
import { maxStderrLines, reportFailure } from '../../../src/cli/failure.ts';
import { Output } from '../../../src/cli/output.ts';
import { TunnelError } from '../../../src/core/errors.ts';
import { capture } from './world.ts';

function report(error: unknown, { json = false, debug = false } = {}) {
  const [out, err] = [capture(), capture()];
  const output = new Output({ stdout: out.stream, stderr: err.stream, json, colour: { stdout: false, stderr: false } });
  return { code: reportFailure(error, output, debug), out: out.text(), err: err.text() };
}

describe('reportFailure', () => {
  it('says what happened and what helps', () => {
    const { code, out, err } = report(new TunnelError('ROUTE_BUSY', 'the name x is held by another tunnel'));
    expect(code).toBe(4);
    expect(out).toBe('');
    expect(err).toBe(
      'error: the name x is held by another tunnel\n  Choose another name, or stop the tunnel that holds this one.\n',
    );
  });

  it('is one object on stdout with --json, and still a sentence on stderr', () => {
    const data = { file: '/p/policy.json', entry: 'x' };
    const { out, err } = report(new TunnelError('DESTINATION_DENIED', 'not allowed', { data }), { json: true });
    expect(JSON.parse(out)).toMatchObject({ event: 'error', code: 'DESTINATION_DENIED', exitCode: 3, data });
    expect(err).toContain('error: not allowed\n  /p/policy.json lacks x\n');
  });

  it('names the command that allows a destination, and says once what is missing', () => {
    const entry = '{"carrier":"edge","host":"e.example:443"}';
    const data = { file: '/p/policy.json', entry, mayAllow: true };
    const message = `not allowed: /p/policy.json has no entry ${entry}`;
    expect(report(new TunnelError('DESTINATION_DENIED', message, { data })).err).toBe(
      `error: ${message}\n  Allow it with “mcp-tunnel allow add edge e.example:443”.\n`,
    );
    const managed = report(new TunnelError('DESTINATION_DENIED', message, { data: { ...data, mayAllow: false } }));
    expect(managed.err).not.toContain('allow add edge');
  });

  it('leaves out advice that the message gives', () => {
    expect(report(new TunnelError('NOT_FOUND', 'there is no folder /x')).err).toBe('error: there is no folder /x\n');
    const held = report(new TunnelError('CONFLICT', 'it has ended; add a new one'));
    expect(held.err).toBe('error: it has ended; add a new one\n');
    expect(report(new TunnelError('USAGE', 'look at “x --help”')).err).toBe('error: look at “x --help”\n');
  });

  it('does not say that an entry is missing in a file that cannot be read', () => {
    const data = { file: '/p/policy.json', entry: '{"stdio":"node"}' };
    const { err } = report(new TunnelError('POLICY_INVALID', '/p/policy.json, line 1: the policy is empty', { data }));
    expect(err).not.toContain('lacks');
  });

  it('names the place in a file unless the message does', () => {
    const data = { file: '/p/mcp.json', line: 3, column: 7 };
    expect(report(new TunnelError('CONFIG_INVALID', 'a comma is missing', { data })).err).toContain(
      '  /p/mcp.json:3:7\n',
    );
    const { err } = report(new TunnelError('CONFIG_INVALID', '/p/mcp.json is damaged', { data }));
    expect(err.match(/mcp\.json/g)?.length).toBe(1);
  });

  it('shows the last lines of a server, which cannot act on the terminal', () => {
    const stderr = [...Array.from({ length: 50 }, (_, n) => `line ${n}`), '\u001b[2Jboom'].join('\n');
    const { code, err } = report(new TunnelError('UPSTREAM_START', 'it ended at once', { data: { stderr } }));
    expect(code).toBe(5);
    expect(err).toContain('  │ line 49\n  │ \\u001b[2Jboom\n');
    expect(err.match(/│/g)?.length).toBe(maxStderrLines);
  });

  it('shows no stack, of no error, unless it is asked for', () => {
    const fault = new TypeError('x is not a function');
    const { code, err } = report(new TunnelError('INTERNAL', 'it broke', { cause: fault }));
    expect(code).toBe(4);
    expect(err).not.toMatch(/\bat \S+ ?\(|failure\.test/);
    expect(report(fault).err).not.toMatch(/failure\.test/);
    expect(report(fault, { debug: true }).err).toMatch(/failure\.test/);
    expect(report('a text').err).toContain('error: a text');
  });
});
