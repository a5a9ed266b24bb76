import { describe, expect, it } from 'vitest';
import { sentenceForAgents } from '../../../src/upstream/forAgents.ts';

describe('sentenceForAgents', () => {
  it.each([
    ['UPSTREAM_START', /could not be started/],
    ['UPSTREAM_EXITED', /has ended; try again/],
    ['UPSTREAM_UNREACHABLE', /does not answer/],
    ['UPSTREAM_PROTOCOL', /not MCP/],
    ['TIMEOUT', /in time/],
    ['LIMIT', /limit/],
    ['INTERNAL', /^the tunnel failed; the log on the developer’s machine says why$/],
    ['AUDIT_BROKEN', /^the tunnel failed; the log on the developer’s machine says why$/],
  ] as const)('tells an agent what %s means for it', (code, sentence) => {
    expect(sentenceForAgents(code)).toMatch(sentence);
  });
});
