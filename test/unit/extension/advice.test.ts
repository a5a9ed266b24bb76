import { expect, it } from 'vitest';
import { advice as sentences } from '../../../src/core/advice.ts';
import type { ErrorCode } from '../../../src/core/errors.ts';
import { adviceTable, advise, asSentence } from '../../../src/extension/advice.ts';
import { commandIds } from '../../../src/extension/commandIds.ts';
import { english } from './english.ts';

const codes = Object.keys(sentences) as ErrorCode[];
const ours = new Set<string>(Object.values(commandIds));
const builtIn = new Set(['workbench.trust.manage', 'mcpTunnel.tunnels.focus']);

it.each(codes)('has one sentence and one button that exists for %s', (code) => {
  const { text, button } = advise({ code, message: 'it did not work', retryable: false }, english);
  expect(text).toMatch(/^It did not work\. \S.*[.!]$/);
  expect(text).not.toContain('MCP_TUNNEL_DEBUG');
  expect(button.title).not.toBe('');
  if (button.kind === 'command') expect([...ours, ...builtIn]).toContain(button.command);
});

it('knows every code and no other', () => {
  expect(Object.keys(adviceTable).sort()).toEqual([...codes].sort());
});

it('opens the file that the error names, at its line', () => {
  const data = { file: '/work/.vscode/mcp.json', line: 7 };
  const { button } = advise({ code: 'CONFIG_INVALID', message: 'bad', retryable: false, data }, english);
  expect(button).toEqual({ kind: 'openFile', title: 'Open File', ...data });
});

it('gives the enrolment command of the edge that was named', () => {
  const data = { host: 'edge.example.com:443' };
  const { button } = advise({ code: 'NOT_ENROLLED', message: 'no certificate', retryable: false, data }, english);
  expect(button).toMatchObject({
    kind: 'copy',
    text: 'mcp-tunnel enroll edge.example.com:443 --pin sha256/… --token-file token.txt',
  });
});

it('has an answer for a code that it does not know yet', () => {
  const { text } = advise({ code: 'FUTURE' as ErrorCode, message: 'new', retryable: false }, english);
  expect(text).toContain('fault of MCP Tunnel');
});

it('makes a sentence of a message that is none yet', () => {
  expect(asSentence('port 80 is in use')).toBe('Port 80 is in use.');
  expect(asSentence('Is it on?')).toBe('Is it on?');
});
