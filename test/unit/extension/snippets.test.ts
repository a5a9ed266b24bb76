import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { plainName, shellWord, snippetsFor, snippetTarget, type SnippetKind } from '../../../src/extension/snippets.ts';
import { english } from './english.ts';
import { tunnel } from './samples.ts';

const token = 'mcpt_abcDEF123';
const publicTunnel = {
  url: 'https://everything-x7k2.edge.example.com/mcp',
  server: 'everything',
  token,
  machineOnly: false,
};
const local = snippetTarget(tunnel(), token)!;

function snippet(kind: SnippetKind, target = publicTunnel as Parameters<typeof snippetsFor>[0]) {
  return snippetsFor(target, english).find((one) => one.kind === kind)!;
}

/** The words a POSIX shell makes of a command; every `curl` or `claude` in it only prints them. */
function shellWords(text: string): string[] {
  const script = `show() { printf '%s\\0' "$@"; }; curl() { show "$@"; }; claude() { show "$@"; }\n${text}`;
  const env = { ANTHROPIC_API_KEY: 'ant-key', OPENAI_API_KEY: 'oai-key' };
  return execFileSync('/bin/sh', ['-c', script], { encoding: 'utf8', env }).split('\0').slice(0, -1);
}

it('adds the server to Claude Code with its URL and token', () => {
  expect(shellWords(snippet('claude-code').text)).toEqual([
    'mcp',
    'add',
    '--transport',
    'http',
    'everything',
    publicTunnel.url,
    '--header',
    `Authorization: Bearer ${token}`,
  ]);
});

it('calls the Messages API with the connector’s beta header, the server and its toolset', () => {
  const words = shellWords(snippet('claude-api').text);
  expect(words).toContain('anthropic-beta: mcp-client-2026-09-15');
  expect(words).toContain('x-api-key: ant-key');
  const body = JSON.parse(words[words.indexOf('--data') + 1]!);
  expect(body.mcp_servers).toEqual([
    { type: 'url', url: publicTunnel.url, name: 'everything', authorization_token: token },
  ]);
  expect(body.tools).toEqual([{ type: 'mcp_toolset', mcp_server_name: 'everything' }]);
});

it('calls the Responses API with the server as a tool that asks for approval', () => {
  const words = shellWords(snippet('openai-responses').text);
  expect(words).toContain('authorization: Bearer oai-key');
  const body = JSON.parse(words[words.indexOf('--data') + 1]!);
  expect(body.tools).toEqual([
    {
      type: 'mcp',
      server_label: 'everything',
      server_url: publicTunnel.url,
      authorization: token,
      require_approval: 'always',
    },
  ]);
});

it('writes the files of Cursor and VS Code as they read them', () => {
  const headers = { Authorization: `Bearer ${token}` };
  expect(JSON.parse(snippet('cursor').text)).toEqual({
    mcpServers: { everything: { url: publicTunnel.url, headers } },
  });
  expect(JSON.parse(snippet('vscode').text)).toEqual({
    servers: { everything: { type: 'http', url: publicTunnel.url, headers } },
  });
});

describe('a tunnel on this machine only', () => {
  it('is reached by its loopback address, and clients are told which CA to trust', () => {
    for (const kind of ['claude-code', 'cursor', 'vscode'] as const) {
      const { text, caution } = snippet(kind, local);
      expect(text).toContain('https://127.0.0.1:4443/mcp');
      expect(caution).toContain('NODE_EXTRA_CA_CERTS=/home/me/ca.pem');
    }
    expect(shellWords(snippet('curl', local).text)).toEqual(expect.arrayContaining(['--cacert', '/home/me/ca.pem']));
  });

  it('cannot be reached by hosted agents, and their snippets say so', () => {
    for (const kind of ['claude-api', 'openai-responses'] as const) {
      expect(snippet(kind, local).caution).toContain('on this machine only');
      expect(snippet(kind).caution).toBeUndefined();
    }
  });

  it('has no snippets before it has an address', () => {
    const { url: _url, loopbackUrl: _loopback, ...starting } = tunnel();
    expect(snippetTarget(starting, token)).toBeUndefined();
  });
});

it('keeps a hostile name of a server from becoming anything but a name', () => {
  const server = `'; rm -rf ~ #"\n$(id)\u202E`;
  const words = shellWords(snippet('claude-code', { ...publicTunnel, server }).text);
  expect(words.slice(0, 5)).toEqual(['mcp', 'add', '--transport', 'http', 'rm-rf-id']);
  expect(Object.keys(JSON.parse(snippet('vscode', { ...publicTunnel, server }).text).servers)).toEqual(['rm-rf-id']);
  expect(shellWords(snippet('claude-api', { ...publicTunnel, server }).text)).toContain('--data');
});

it('quotes any word for the shell', () => {
  const printable = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'));
  fc.assert(
    fc.property(printable, (word) => {
      expect(execFileSync('/bin/sh', ['-c', `printf %s ${shellWord(word)}`], { encoding: 'utf8' })).toBe(word);
    }),
    { numRuns: 60 },
  );
});

it('makes a name that every client accepts of any name', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (name) => {
      expect(plainName(name)).toMatch(/^[A-Za-z0-9_-]{1,48}$/);
      expect(plainName(name)).not.toMatch(/^-/);
    }),
  );
});
