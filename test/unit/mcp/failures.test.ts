import { describe, expect, it } from 'vitest';
import { errorInfo } from '../../../src/core/errors.ts';
import { failed, failureText, failures, type FailureCode } from '../../../src/mcp/failures.ts';

const textOf = (code: FailureCode): { id: unknown; error: { code: number; message: string; data?: unknown } } =>
  JSON.parse(failureText('call-1', errorInfo(failed(code, 'what only the developer reads')))) as ReturnType<
    typeof textOf
  >;

describe('failureText', () => {
  it.each(Object.keys(failures) as FailureCode[])(
    'says %s in the words of the table, and nothing of its cause',
    (code) => {
      const { rpc, sentence } = failures[code];
      expect(textOf(code)).toMatchObject({ id: 'call-1', error: { code: rpc, message: sentence } });
      expect(JSON.stringify(textOf(code))).not.toContain('developer reads');
    },
  );

  it.each(['CONNECT_REFUSED', 'SERVER_AWAY', 'CONNECTION_CLOSED', 'ANSWER_BROKEN', 'SERVER_RESTARTED'] as const)(
    'tells an agent that it can make the call again after %s',
    (code) => {
      expect(textOf(code).error).toMatchObject({
        message: expect.stringContaining('again'),
        data: { retryable: true },
      });
    },
  );

  it.each(['TLS_UNTRUSTED', 'SERVER_LOOPS', 'NOT_MCP', 'DENIED', 'INTERNAL'] as const)('does not after %s', (code) => {
    expect(textOf(code).error.data).toBeUndefined();
  });
});
